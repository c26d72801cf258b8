"""The log: one line an event, for people or as JSON, with the id of the request that it is about.

It holds names of DAGs, tasks and keys, as paths do; never a value, a query or a credential.
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
"""Names a request in the logs of everyone it passes; taken over from the client, else made here."""

_GOOD_ID = re.compile(r"[\x21-\x7e]{1,128}")
_CONSOLE = "%(asctime)s [%(process)d] [%(levelname)s] %(message)s"
_CONSOLE_DATE = "[%Y-%m-%d %H:%M:%S %z]"

_log = logging.getLogger("xcom_server.requests")


class _OfRequest(logging.Filter):
    """Adds the id of the current request to what is logged."""

    def filter(self, record: logging.LogRecord) -> bool:
        if has_request_context() and "request_id" in g:
            record.request_id = g.request_id
        return True


class _ConsoleFormatter(logging.Formatter):
    """As gunicorn writes, and the request's id behind."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = getattr(record, "request_id", None)
        if request_id is None:
            return line
        first, newline, rest = line.partition("\n")
        return f"{first} [{request_id}]{newline}{rest}"


class _WithoutHeaders(logging.Filter):
    """Cuts off what gunicorn repeats of a request that it refuses, which may be a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        words = str(record.msg)
        if words.startswith("Invalid request from"):
            record.msg = words.partition(": ")[0]
        return True


def formatter(kind: str) -> logging.Formatter:
    """Return what writes the log as `console` or `json`."""
    if kind == "json":
        return JsonFormatter(
            "%(levelname)s %(name)s %(process)d %(message)s", timestamp=True,
            rename_fields={"levelname": "level", "name": "logger", "process": "pid"})
    return _ConsoleFormatter(_CONSOLE, _CONSOLE_DATE)


def write_to_stderr(log: logging.Logger, kind: str) -> None:
    """Let a logger write to standard error in this format."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(kind))
    handler.addFilter(_OfRequest())
    handler.addFilter(_WithoutHeaders())
    log.handlers = [handler]
    log.setLevel(logging.INFO)


def name_requests(app: Flask, *, log_them: bool) -> None:
    """Give every request of an application an id, answer it, and log the request where asked."""
    @app.before_request
    def name() -> None:
        given = request.headers.get(HEADER, "")
        g.request_id = given if _GOOD_ID.fullmatch(given) else uuid4().hex
        g.started = time.perf_counter()

    @app.after_request
    def answer(response: Response) -> Response:
        response.headers[HEADER] = g.request_id
        if log_them:
            told = _told(response)
            _log.info("%(method)s %(path)s %(status)d in %(milliseconds).1f ms", told, extra=told)
        return response


def shown_path() -> str:
    """Return the current request's path in one line of ASCII, as clients write it."""
    return quote(request.path, safe="/~:+@!$&'()*,;=")


def _told(response: Response) -> dict[str, Any]:
    user = g.get("user")
    return {"method": request.method, "path": shown_path(), "status": response.status_code,
            "milliseconds": round((time.perf_counter() - g.started) * 1000, 1),
            "user": user.name if user else None, "client": request.remote_addr}
