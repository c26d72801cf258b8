"""JSON in and out of HTTP: strict on the way in, Airflow's bytes on the way out."""

import json
from typing import Any

from flask import Response

from app import strict_json

JSON = "application/json"


def read_json(body: bytes, max_depth: int) -> Any:
    """Read a request body; a byte order mark is skipped, as Airflow skips it.

    Raises strict_json.InvalidJson, also for bytes that are not UTF-8.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise strict_json.AmbiguousJson("bytes that are not UTF-8") from None
    return strict_json.loads(text, max_depth)


def answer(data: Any, status: int = 200, mimetype: str = JSON) -> Response:
    """Return a response with the bytes that Airflow's v1 would send: sorted, indented, ASCII."""
    text = json.dumps(data, indent=2, sort_keys=True) + "\n"
    return Response(text, status, mimetype=mimetype)
