"""What frames every answer of v2: compression on request, and no HEAD or OPTIONS."""

import zlib

from flask import Response, current_app, request
from werkzeug.exceptions import MethodNotAllowed

_LEVEL = 5
_GZIP = 31  # zlib's word for gzip's header around what it compresses


AUTOMATIC_METHODS = ("HEAD", "OPTIONS")
"""Methods that Flask would answer by itself, and Airflow's framework does not."""


def refuse_head_and_options() -> None:
    """Refuse a method that Flask would answer, where there is a route at all."""
    if request.method in AUTOMATIC_METHODS and request.url_rule is not None:
        routes = current_app.create_url_adapter(request)
        allowed = routes.allowed_methods() if routes is not None else []
        raise MethodNotAllowed(sorted(set(allowed) - set(AUTOMATIC_METHODS)))


def frame(response: Response) -> Response:
    """Compress an answer of any size for a client that names gzip, as Airflow's server does."""
    if response.status_code == 204 or response.direct_passthrough:
        return response
    response.headers["Vary"] = "Accept-Encoding"
    if any(name == "gzip" and quality > 0 for name, quality in request.accept_encodings):
        response.set_data(_compressed(response.get_data()))
        response.headers["Content-Encoding"] = "gzip"
    return response


def _compressed(body: bytes) -> bytes:
    """Return a body in the very bytes that Airflow streams: flushed before its end is known."""
    stream = zlib.compressobj(_LEVEL, wbits=_GZIP)
    return stream.compress(body) + stream.flush(zlib.Z_SYNC_FLUSH) + stream.flush()
