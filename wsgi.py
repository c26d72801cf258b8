"""The WSGI application for `gunicorn wsgi:app` in a checkout."""

from xcom_server.factory import create_app

app = create_app()
