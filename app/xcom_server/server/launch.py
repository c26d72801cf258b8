"""`xcom-server serve`: gunicorn in this process, which adds nothing to the import path."""

import os

from flask import Flask
from gunicorn.app.base import BaseApplication

from xcom_server.server.config import configure
from xcom_server.server.gunicorn_adapter import apply_command_args
from xcom_server.settings import Settings


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn with this server's configuration; options in GUNICORN_CMD_ARGS override it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__(prog="xcom-server serve")

    def load_config(self) -> None:
        """Configure gunicorn, at start and on SIGHUP."""
        self.cfg.set("proc_name", "xcom-server")
        for name, value in configure(self._settings).items():
            self.cfg.set(name, value)
        apply_command_args(self.cfg)

    def load(self) -> Flask:
        """Return the application, with the settings as gunicorn's --env changed them."""
        from xcom_server.factory import create_app

        return create_app()


def run(settings: Settings) -> None:
    """Serve until a signal ends the process."""
    os.environ.update(settings.to_env())  # for `load`, and for a master started by SIGUSR2
    server = Server(settings)
    import xcom_server.factory  # noqa: F401 - before the fork: workers share its memory

    server.run()
