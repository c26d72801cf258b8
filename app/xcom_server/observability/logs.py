"""The log: one line per event, as text or JSON, with the id of the request.

It holds names of DAGs, tasks and keys, as paths do, but never a value, a query or a credential.
"""

import logging
import time
from typing import Any
from urllib.parse import quote

from flask import Flask, Response, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

from xcom_server.observability import request_state

_CONSOLE = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
_CONSOLE_DATE = "[%Y-%m-%d %H:%M:%S %z]"

_log = logging.getLogger("xcom_server.requests")


class RequestIdFilter(logging.Filter):
    """Adds the id of the current request to log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `request_id`, if there is a request; keep the record."""
        if has_request_context():
            record.request_id = request_state.current().request_id
        return True


class _ConsoleFormatter(logging.Formatter):
    """gunicorn's format, with the request's id at the end of the first line."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = getattr(record, "request_id", None)
        if request_id is None:
            return line
        first, newline, rest = line.partition("\n")
        return f"{first} [{request_id}]{newline}{rest}"


def formatter(kind: str) -> logging.Formatter:
    """Return the formatter for a kind of log, `console` or `json`."""
    if kind == "json":
        return JsonFormatter(
            "%(levelname)s %(name)s %(process)d %(message)s", timestamp=True,
            rename_fields={"levelname": "level", "name": "logger", "process": "pid"})
    return _ConsoleFormatter(_CONSOLE, _CONSOLE_DATE)


def write_to_stderr(log: logging.Logger, kind: str) -> None:
    """Make a logger write to standard error; `kind` is `console` or `json`."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(kind))
    handler.addFilter(RequestIdFilter())
    log.handlers = [handler]
    log.setLevel(logging.INFO)


def add_request_ids(app: Flask, *, log_them: bool) -> None:
    """Give each request of an application an id, return it in a header, and log the request."""
    @app.before_request
    def start_clock() -> None:
        request_state.current()

    @app.after_request
    def add_header(response: Response) -> Response:
        response.headers[request_state.REQUEST_ID_HEADER] = request_state.current().request_id
        if log_them:
            fields = _request_fields(response)
            _log.info("%(method)s %(path)s %(status)d in %(milliseconds).1f ms", fields,
                      extra=fields)
        return response


def quoted_path() -> str:
    """Return the current request's path, percent-encoded as clients send it."""
    return quote(request.path, safe="/~:+@!$&'()*,;=")


def _request_fields(response: Response) -> dict[str, Any]:
    state = request_state.current()
    return {"method": request.method, "path": quoted_path(), "status": response.status_code,
            "milliseconds": round((time.perf_counter() - state.started) * 1000, 1),
            "user": state.user_name, "client": request.remote_addr}
