"""The log: one line per event, as text or JSON, with the request id.

Lines contain request paths, and so the ids of DAGs and tasks and the keys of entries, but never
values, query strings or credentials.
"""

import logging
import time
from urllib.parse import quote

from flask import Flask, Response, has_request_context, request
from pythonjsonlogger.json import JsonFormatter

from xcom_server.observability import request_state
from xcom_server.observability.limited_handler import LimitedHandler

_log = logging.getLogger("xcom_server.requests")


class _ConsoleFormatter(logging.Formatter):
    """gunicorn's format, with the request id at the end of the first line."""

    def format(self, record: logging.LogRecord) -> str:
        first, newline, rest = super().format(record).partition("\n")
        request_id = getattr(record, "request_id", None)
        suffix = f" [{request_id}]" if request_id else ""
        return f"{first}{suffix}{newline}{rest}"


def _add_request_id(record: logging.LogRecord) -> bool:
    if has_request_context():
        record.request_id = request_state.current().request_id
    return True


def write_to_stderr(log: logging.Logger, kind: str) -> None:
    """Make a logger write to standard error at level INFO; `kind` is `console` or `json`."""
    handler = LimitedHandler()
    if kind == "json":
        handler.setFormatter(
            JsonFormatter(
                "%(levelname)s %(name)s %(process)d %(message)s",
                timestamp=True,
                rename_fields={"levelname": "level", "name": "logger", "process": "pid"},
            )
        )
    else:
        handler.setFormatter(
            _ConsoleFormatter(
                "%(asctime)s [%(process)d] [%(levelname)s] %(message)s", "[%Y-%m-%d %H:%M:%S %z]"
            )
        )
    handler.addFilter(_add_request_id)
    log.handlers = [handler]
    log.setLevel(logging.INFO)


def add_request_ids(app: Flask, *, log_them: bool) -> None:
    """Return an id with every response, in X-Request-Id; with `log_them`, log every request."""

    @app.before_request
    def start_clock() -> None:
        request_state.current()

    @app.after_request
    def add_header(response: Response) -> Response:
        state = request_state.current()
        response.headers[request_state.REQUEST_ID_HEADER] = state.request_id
        if log_them:
            fields = {
                "method": request.method,
                "path": quoted_path(),
                "status": response.status_code,
                "milliseconds": round((time.perf_counter() - state.started) * 1000, 1),
                "user": state.user_name,
                "client": request.remote_addr,
            }
            _log.info(
                "%(method)s %(path)s %(status)d in %(milliseconds).1f ms", fields, extra=fields
            )
        return response


def quoted_path() -> str:
    """Return the current request's path, percent-encoded as clients send it."""
    return quote(request.path, safe="/~:+@!$&'()*,;=")
