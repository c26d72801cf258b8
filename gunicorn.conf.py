"""The configuration of `gunicorn wsgi:app` in a checkout, like that of `xcom-server serve`."""

import sys

from xcom_server.observability.shared import create_metrics_folder
from xcom_server.server.launch import configure
from xcom_server.settings import Settings, SettingsError

try:
    settings = Settings.from_env()
except SettingsError as error:
    sys.exit(f"xcom-server: {error}")
if settings.metrics:
    create_metrics_folder()
globals().update(configure(settings))
