"""The effects of faults on requests for pages and on responses."""

import errno
import json
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from flask import Response, request
from werkzeug.datastructures import ImmutableMultiDict

from xcom_server.api import json_io
from xcom_server.api.v2 import middleware

MAX_CHANGED = 4 * 1024 * 1024  # bytes of a body; parsed JSON takes many times its size
TOTAL = "total_entries"

Change = Callable[[dict[str, Any]], dict[str, Any] | None]


def offset() -> int:
    """Return the offset of the page that the current request is for, 0 for the first page."""
    text = request.args.get("offset", "0")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else 0


def shift_offset(by: int) -> None:
    """Change the current request to one for the page at which the rows are if one moved.

    If a row before the page was deleted (-1), the page begins one row later.
    """
    shifted = {**request.args.to_dict(flat=False), "offset": [str(offset() - by)]}
    request.args = ImmutableMultiDict(shifted)


def replaced(response: Response, other: Response) -> Response:
    """Return another response with the headers that every response has."""
    for name in ("ETag", "Content-Type", "Content-Encoding"):
        response.headers.pop(name, None)
    response.headers.update(other.headers)
    response.status_code = other.status_code
    response.set_data(other.get_data())
    return response


def with_content_type(response: Response, value: str) -> Response | None:
    """Set the Content-Type, unless the response has no body."""
    if response.status_code in (204, 304):
        return None
    response.headers["Content-Type"] = value
    return response


def truncated(response: Response) -> Response | None:
    """Send only the first half of a body, and then end the connection.

    Under gunicorn, this error ends a response without a line in the log.
    """
    if not _has_body(response):
        return None
    body = response.get_data()
    response.headers["Content-Length"] = str(len(body))
    response.response = _cut_off(body[: len(body) // 2])
    return response


def malformed(response: Response) -> Response | None:
    """Replace JSON by the first half of its text, which is not valid JSON."""
    if (text := _json_text(response)) is None:
        return None
    return _with_body(response, text[: len(text) // 2].encode())


def with_json(response: Response, change: Change) -> Response | None:
    """Change the JSON object of a response; return None if there is none, or `change` does."""
    text = _json_text(response)
    try:
        data = json.loads(text) if text else None
        changed = change(data) if isinstance(data, dict) else None
        return None if changed is None else _with_body(response, _as_json(changed))
    except (ValueError, RecursionError):  # JSON with huge integers or deeply nested
        return None


def without_total(data: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object of a list without its total, None for another object."""
    if TOTAL not in data:
        return None
    return {name: value for name, value in data.items() if name != TOTAL}


def with_shifted_total(by: int, data: dict[str, Any]) -> dict[str, Any] | None:
    """Return the object of a list whose total has changed, None for another object."""
    total = data.get(TOTAL)
    return {**data, TOTAL: max(total + by, 0)} if isinstance(total, int) else None


def with_field(field: str, value: Any, data: dict[str, Any]) -> dict[str, Any]:
    """Return an object with another field, which the items of a list get too."""
    items = {
        name: [_with_field(field, value, each) for each in inner]
        for name, inner in data.items()
        if isinstance(inner, list) and TOTAL in data
    }
    return _with_field(field, value, {**data, **items})  # type: ignore[no-any-return]


def _with_field(field: str, value: Any, data: Any) -> Any:
    """Return an object with another field, unless it has that already; other data is unchanged."""
    return {**data, field: data.get(field, value)} if isinstance(data, dict) else data


def _has_body(response: Response) -> bool:
    return (
        response.status_code not in (204, 304)
        and not response.is_streamed
        and len(response.get_data()) > 1
    )


def _json_text(response: Response) -> str | None:
    """Return the text of a JSON response that is not too large, else None."""
    if not (response.is_json and _has_body(response)):
        return None
    body = response.get_data()
    if response.headers.get("Content-Encoding") == "gzip":
        body = zlib.decompressobj(wbits=31).decompress(body, MAX_CHANGED + 1)
    return body.decode() if len(body) <= MAX_CHANGED else None


def _as_json(data: dict[str, Any]) -> bytes:
    write = json_io.indented_json if request.path.startswith("/api/v1/") else json_io.compact_json
    return write(data).get_data()


def _with_body(response: Response, body: bytes) -> Response:
    """Replace the body of a response, compressed if it was."""
    is_compressed = response.headers.pop("Content-Encoding", None) is not None
    response.set_data(body)
    return middleware.gzip_response(response) if is_compressed else response


def _cut_off(body: bytes) -> Iterator[bytes]:
    yield body
    raise ConnectionResetError(errno.ECONNRESET, "a fault truncates the response")
