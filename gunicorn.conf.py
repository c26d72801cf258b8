"""How `gunicorn wsgi:app` serves from a checkout: exactly as `xcom-server serve` does."""

from app.gunicorn_conf import *  # noqa: F403
