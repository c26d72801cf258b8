"""The configuration of `gunicorn wsgi:app` in a checkout, like that of `xcom-server serve`."""

import sys

from xcom_server.errors import OperatorError
from xcom_server.observability import metrics_folder
from xcom_server.server.launch import configure
from xcom_server.settings import Settings

try:
    settings = Settings.from_env()
    if settings.metrics:
        metrics_folder.create()
except OperatorError as error:
    sys.exit(f"xcom-server: {error}")
globals().update(configure(settings))
