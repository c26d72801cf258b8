"""The log: one line per event, as text or JSON, with the id of the request.

It holds names of DAGs, tasks and keys, as paths do, but never a value, a query or a credential.
"""

import logging
import re
import time
from typing import Any
from urllib.parse import quote
from uuid import uuid4

from flask import Flask, Response, g, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

HEADER = "X-Request-Id"
"""Identifies a request in the logs of each server it passes; taken from the client if it is set."""

_VALID_ID = re.compile(r"[\x21-\x7e]{1,128}")
_CONSOLE = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
_CONSOLE_DATE = "[%Y-%m-%d %H:%M:%S %z]"

_log = logging.getLogger("xcom_server.requests")


class RequestIdFilter(logging.Filter):
    """Adds the id of the current request to log records."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Set `request_id`, if there is a request; keep the record."""
        if has_request_context() and "request_id" in g:
            record.request_id = g.request_id
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
    def set_request_id() -> None:
        client_id = request.headers.get(HEADER, "")
        g.request_id = client_id if _VALID_ID.fullmatch(client_id) else uuid4().hex
        g.started = time.perf_counter()

    @app.after_request
    def add_header(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        if log_them:
            fields = _request_fields(response)
            _log.info("%(method)s %(path)s %(status)d in %(milliseconds).1f ms", fields,
                      extra=fields)
        return response


def quoted_path() -> str:
    """Return the current request's path, percent-encoded as clients send it."""
    return quote(request.path, safe="/~:+@!$&'()*,;=")


def _request_fields(response: Response) -> dict[str, Any]:
    user = g.get("user")
    return {"method": request.method, "path": quoted_path(), "status": response.status_code,
            "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
            "user": user.name if user else None, "client": request.remote_addr}
