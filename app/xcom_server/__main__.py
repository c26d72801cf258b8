"""`python -m xcom_server` runs the command `xcom-server`."""

from xcom_server.cli.main import main

if __name__ == "__main__":
    main()
