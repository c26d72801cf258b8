"""How `gunicorn wsgi:app` serves from a checkout: exactly as `xcom-server serve` does."""

from xcom_server.server.gunicorn_conf import *  # noqa: F403
