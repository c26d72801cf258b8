"""gunicorn's configuration for this server, made from its settings."""

import logging
from typing import Any

from gunicorn.config import Config
from gunicorn.glogging import Logger

from xcom_server.observability import logs, multiproc_dir
from xcom_server.server.gunicorn_adapter import redact_invalid_request
from xcom_server.server.hooks import Hooks
from xcom_server.settings import Settings


def configure(settings: Settings) -> dict[str, Any]:
    """Return gunicorn's settings and hooks by name, and create the folder for the metrics.

    Call it before prometheus_client is imported, which looks for that folder on import.
    """
    if settings.metrics:
        multiproc_dir.create()
    return {
        "bind": settings.bind,
        "workers": settings.workers,
        "worker_class": ("xcom_server.server.worker.BalancedWorker"
                         if settings.balance_connections else "gthread"),
        "threads": settings.threads,
        "max_requests": settings.max_requests,
        "max_requests_jitter": settings.max_requests // 10,  # not all workers at the same time
        "graceful_timeout": settings.graceful_timeout_seconds,
        "logger_class": _logger_class(settings.log_format),
        "limit_request_line": 8190,  # the maximum: 512 characters of a key take 6 KB when quoted
        "control_socket_disable": True,
        **Hooks(settings).by_name(),
    }


def _logger_class(log_format: str) -> type:
    class ServerLogger(Logger):  # type: ignore[misc]
        """Writes gunicorn's log in the application's format."""

        def setup(self, cfg: Config) -> None:
            """Set the format, at start and after each reload."""
            super().setup(cfg)
            logs.write_to_stderr(self.error_log, log_format)
            for handler in self.error_log.handlers:
                handler.addFilter(_redact)

    return ServerLogger


def _redact(record: logging.LogRecord) -> bool:
    """Remove text that may be a credential from a record."""
    record.msg = redact_invalid_request(str(record.msg))
    return True
