"""The object that gunicorn serves: `gunicorn wsgi:app`."""

from xcom_server.factory import create_app

app = create_app()
