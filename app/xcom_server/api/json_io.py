"""JSON in and out of HTTP: strict on the way in, Airflow's bytes on the way out."""

import json
from typing import Any
from urllib.parse import unquote_to_bytes

from connexion.exceptions import BadRequestProblem
from flask import Response, current_app, g, request
from pydantic_core import PydanticSerializationError, to_json
from werkzeug.exceptions import RequestEntityTooLarge

from xcom_server.formats import strict_json

JSON = "application/json"


def require_utf8_url() -> None:
    """Refuse URLs that are not UTF-8, which would turn distinct names into the same one."""
    environ = request.environ
    query = environ.get("QUERY_STRING", "").encode("latin-1")
    for part, raw in (("path", environ["PATH_INFO"].encode("latin-1")),
                      ("query", unquote_to_bytes(query))):
        try:
            raw.decode()
        except UnicodeDecodeError:
            raise BadRequestProblem(detail=f"The {part} of the URL is not valid UTF-8") from None


def read_body() -> bytes:
    """Return the current request's whole body, at most MAX_CONTENT_LENGTH bytes of it.

    Werkzeug takes what has come of a body for the whole where the server says that the body ends
    by itself, as gunicorn does; so its length is checked here. Raises RequestEntityTooLarge, and
    BadRequestProblem for a body that breaks off or whose chunks are malformed.
    """
    if "body" in g:  # a stream can be read once
        return g.body  # type: ignore[no-any-return]
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if (request.content_length or 0) > limit:
        raise RequestEntityTooLarge
    try:
        body: bytes = request.environ["wsgi.input"].read(limit + 1)
    except Exception:  # the server's own, which no standard names
        raise BadRequestProblem(detail="Request body cannot be read") from None
    if len(body) > limit:
        raise RequestEntityTooLarge
    if request.content_length is not None and len(body) < request.content_length:
        raise BadRequestProblem(detail="Request body is shorter than its Content-Length")
    g.body = body
    return body


def json_body(*, duplicate_keys: bool = False) -> Any:
    """Return the current request's body as JSON, None where it is empty; reads it once.

    Raises what read_body and read_json raise.
    """
    if "json" not in g:
        body = read_body()
        g.json = read_json(body, duplicate_keys=duplicate_keys) if body else None
    return g.json


def read_json(body: bytes, *, duplicate_keys: bool = False) -> Any:
    """Read a request body, nested MAX_JSON_DEPTH levels deep at most.

    A byte order mark is skipped, as Airflow skips it. With `duplicate_keys`, the last of several
    members of one name counts.

    Raises strict_json.InvalidJson, also for bytes that are not UTF-8.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise strict_json.UnreadableJson("bytes that are not UTF-8") from None
    return strict_json.loads(text, current_app.config["MAX_JSON_DEPTH"],
                             duplicate_keys=duplicate_keys)


def compact(data: Any, status: int = 200) -> Response:
    """Return a response with the bytes that Airflow's v2 would send: in order, tight, UTF-8."""
    return Response(to_json(data), status, mimetype=JSON)  # what Airflow's FastAPI writes with


def indented(data: Any, status: int = 200, mimetype: str = JSON) -> Response:
    """Return a response with the bytes that Airflow's v1 would send: sorted, indented, ASCII."""
    text = json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"
    return Response(text, status, mimetype=mimetype)


def indented_json_fast(data: Any) -> Response:
    """Return what `indented` would, for data of texts and whole numbers whose names are sorted.

    Python's own writer takes seven times as long; but floats are its alone to write as Airflow's.
    """
    try:
        body = to_json(data, indent=2, ensure_ascii=True)
    except PydanticSerializationError:  # a lone surrogate
        return indented(data)
    return Response(body.replace(b"\x7f", b"\\u007f") + b"\n", mimetype=JSON)
