"""`python -m app` is the command `xcom-server`."""

from app.cli import main

if __name__ == "__main__":
    main()
