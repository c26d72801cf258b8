"""`xcom-server serve`: gunicorn, configured from the settings."""

import logging
import os
import socket
import sys
import tempfile
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.config import Config
from gunicorn.glogging import Logger

from xcom_server.errors import OperatorError
from xcom_server.observability import logs, metrics_folder
from xcom_server.server import gunicorn_adapter, hooks, preflight
from xcom_server.settings import Settings

_WORKERS = {
    True: "xcom_server.server.gunicorn_adapter.BalancedWorker",
    False: "xcom_server.server.gunicorn_worker.BufferedWorker",
}


class Server(BaseApplication):  # type: ignore[misc]
    """gunicorn in this process; unlike gunicorn's command, it does not change the import path.

    The settings are read from the environment, and options in GUNICORN_CMD_ARGS override them.
    """

    def load_config(self) -> None:
        """Configure gunicorn, at start and on SIGHUP."""
        self.cfg.set("proc_name", "xcom-server")
        settings = Settings.from_env()
        if settings.metrics:
            metrics_folder.create()
        for name, value in configure(settings).items():
            self.cfg.set(name, value)
        gunicorn_adapter.apply_command_args(self.cfg)

    def load(self) -> Flask:
        """Return the application; its settings include changes by gunicorn's --env."""
        from xcom_server.factory import create_app

        return create_app()


def run(settings: Settings) -> None:
    """Serve until a signal ends the process.

    Raises CannotListen for an address that cannot be bound, and OperatorError for an invalid one.
    """
    _check_variables()
    _check_temporary_directory()
    os.environ.update(settings.to_env())  # also for workers, and a master started by SIGUSR2
    server = Server(prog="xcom-server serve")
    preflight.check_bindable(gunicorn_adapter.addresses_to_bind(server.cfg))
    # Connexion imports aiohttp if it is installed, which takes 0.1 s and 10 MiB for nothing here.
    sys.modules.setdefault("aiohttp", None)  # type: ignore[arg-type]
    # Before the fork, so that workers share the memory and do not read the documents again.
    import xcom_server.factory

    xcom_server.factory.read_documents(settings)
    server.run()


def _check_variables() -> None:
    """Raise OperatorError for a variable that gunicorn reads as a number, and that is not one.

    A service manager or a master that this one replaces (SIGUSR2) sets them.
    """
    for name in ("LISTEN_FDS", "LISTEN_PID", "GUNICORN_PID", "GUNICORN_FD"):
        text = os.environ.get(name, "0")
        if not all(number.isdecimal() for number in text.split(",")):
            raise OperatorError(f"the variable {name} must be a number, not {text!r}.")


def _check_temporary_directory() -> None:
    """Raise OperatorError unless there is one, in which gunicorn has a file for each worker."""
    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        raise OperatorError(
            "there is no temporary directory that can be written to. Set TMPDIR to one."
        ) from None


def configure(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings and hooks by name."""
    return {
        "bind": addresses(settings.bind),
        "workers": settings.workers,
        "worker_class": _WORKERS[settings.balance_connections],
        "threads": settings.threads,
        "max_requests": settings.max_requests,
        "max_requests_jitter": settings.max_requests // 10,  # not all workers at the same time
        "graceful_timeout": settings.graceful_timeout_seconds,
        "logger_class": _logger_class(settings.log_format),
        # The maximum: a key of 512 characters takes up to 6 KB when it is percent-encoded.
        "limit_request_line": 8190,
        "keepalive": settings.keep_alive_seconds,
        "worker_connections": settings.max_connections,
        "sendfile": False,  # responses are written by the main loop if a client is slow
        "control_socket_disable": True,
        # By default, peers on loopback and on Unix sockets may set SCRIPT_NAME and the scheme.
        # api/proxies.py reads the headers of proxies instead.
        "forwarder_headers": "",
        "secure_scheme_headers": {},
        **hooks.BY_NAME,
    }


def addresses(bind: str) -> list[str]:
    """Return the addresses to listen on, such that `[::]:PORT` includes IPv4.

    A Linux socket for `[::]` accepts IPv4 too, unless `net.ipv6.bindv6only` is set.  On a host
    without IPv6 there is only IPv4.
    """
    host, _, port = bind.rpartition(":")
    if host != "[::]":
        return [bind]
    try:
        with socket.socket(socket.AF_INET6) as probe:
            is_only_ipv6 = probe.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
    except OSError:
        return [f"0.0.0.0:{port}"]
    return [bind, f"0.0.0.0:{port}"] if is_only_ipv6 else [bind]


def _logger_class(log_format: str) -> type:
    class ServerLogger(Logger):  # type: ignore[misc]
        """gunicorn's logger, in the format of the application's log."""

        def setup(self, cfg: Config) -> None:
            """Set the format; gunicorn calls this at start and at each reload."""
            super().setup(cfg)
            logs.write_to_stderr(self.error_log, log_format)
            self.error_log.addFilter(gunicorn_adapter.redact_invalid_request)
            (logging.lastResort,) = self.error_log.handlers  # for the loggers of libraries

    return ServerLogger
