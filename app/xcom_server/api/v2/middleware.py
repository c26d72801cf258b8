"""Behavior of every v2 route: HEAD and OPTIONS are rejected, and gzip is supported."""

import zlib

from flask import Response, current_app, request
from werkzeug.exceptions import MethodNotAllowed

AUTOMATIC_METHODS = ("HEAD", "OPTIONS")  # Flask adds them to every route; FastAPI does not


def refuse_head_and_options() -> None:
    """Raise MethodNotAllowed for a HEAD or OPTIONS request to an existing route."""
    if request.method in AUTOMATIC_METHODS and request.url_rule is not None:
        routes = current_app.create_url_adapter(request)
        allowed = routes.allowed_methods() if routes is not None else []
        raise MethodNotAllowed(sorted(set(allowed) - set(AUTOMATIC_METHODS)))


def gzip_response(response: Response) -> Response:
    """Compress a response of any size if `Accept-Encoding` lists gzip, as Airflow does.

    A 204 and a stream are returned unchanged.
    """
    if response.status_code == 204 or response.is_streamed:
        return response
    response.headers["Vary"] = "Accept-Encoding"
    if any(name == "gzip" and quality > 0 for name, quality in request.accept_encodings):
        response.set_data(_compressed(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _compressed(body: bytes) -> bytes:
    """Compress a body to the same bytes as Airflow, which flushes the stream before it ends."""
    stream = zlib.compressobj(5, wbits=31)  # 31: gzip header, 32 KiB window
    return stream.compress(body) + stream.flush(zlib.Z_SYNC_FLUSH) + stream.flush()
