"""JSON in requests and responses: strict parsing, and the same bytes as Airflow in responses."""

import itertools
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import unquote_to_bytes

from connexion.exceptions import BadRequestProblem
from flask import Response, current_app, request
from pydantic_core import PydanticSerializationError, to_json
from werkzeug.exceptions import RequestEntityTooLarge

from xcom_server.api import work_memory
from xcom_server.errors import ResponseTooLarge
from xcom_server.formats import strict_json
from xcom_server.observability import request_state

JSON = "application/json"
MAX_RESPONSE = "MAX_RESPONSE_BYTES"  # the name in the application's configuration
LARGE = 64 * 1024  # characters of JSON texts from which a response is built in bounded parts

_PIECES = 4096  # of the JSON encoder, each a few characters, that become one part of a response

# With check_circular, an encoder that is not read to its end keeps the data until a collection.
_ENCODER = json.JSONEncoder(indent=2, sort_keys=True, allow_nan=False, check_circular=False)

# Python and to_json format floats of other sizes, and those that are not numbers, differently.
_PLAIN_FLOATS = 1e-4, 1e16
_MAY_BE_OTHER_FLOAT = re.compile(r"\d[eE][-+\d]|\d{16}\.|0\.000|NaN|Infinity")


def require_utf8_url() -> None:
    """Raise BadRequestProblem if the path or the query of the URL is not UTF-8.

    Werkzeug would replace invalid bytes, and two different names could become equal.
    """
    environ = request.environ
    _require_utf8("path", environ["PATH_INFO"].encode("latin-1"))
    if query := environ.get("QUERY_STRING"):
        _require_utf8("query", unquote_to_bytes(query.encode("latin-1")))


def _require_utf8(part: str, raw: bytes) -> None:
    try:
        raw.decode()
    except UnicodeDecodeError:
        raise BadRequestProblem(detail=f"The {part} of the URL is not valid UTF-8") from None


def read_body() -> bytes:
    """Return the current request's body; only the first call reads it from the connection.

    Reads exactly Content-Length bytes: unless the server ends the input, as gunicorn does, a longer
    read waits for the client. Raises RequestEntityTooLarge for more than MAX_CONTENT_LENGTH bytes,
    and BadRequestProblem for a body that is cut off or whose chunks are malformed.
    """
    state = request_state.current()
    if state.body is not None:
        return state.body
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    length = request.content_length
    if length is None:  # chunks, if the server decodes them, or no body
        length = limit + 1 if request.environ.get("wsgi.input_terminated") else 0
    elif length > limit:
        raise RequestEntityTooLarge
    try:
        body: bytes = request.environ["wsgi.input"].read(length) if length else b""
    except Exception:  # WSGI does not specify it, and each server raises its own
        raise BadRequestProblem(detail="Request body cannot be read") from None
    if len(body) > limit:
        raise RequestEntityTooLarge
    if request.content_length is not None and len(body) < request.content_length:
        raise BadRequestProblem(detail="Request body is shorter than its Content-Length")
    state.body = body
    return body


def json_body(*, duplicate_keys: bool = False) -> Any:
    """Return the current request's body parsed as JSON, or None if it is empty or `null`.

    Only the first call parses the body. A byte order mark is skipped, as in Airflow. Duplicate keys
    are an error unless `duplicate_keys` is true; then the last one wins. Raises the errors of
    `read_body`, and strict_json.InvalidJson for a body that is not JSON in UTF-8 or is nested more
    than MAX_JSON_DEPTH levels deep.
    """
    state = request_state.current()
    if state.json is request_state.UNPARSED:
        body = read_body()
        state.json = _parse(body, duplicate_keys) if body else None
    return state.json


def _parse(body: bytes, duplicate_keys: bool) -> Any:
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise strict_json.UnreadableJson("bytes that are not UTF-8") from None
    work_memory.reserve([text], copies=2)  # parsed once more for the response or for a check
    return strict_json.loads(
        text, current_app.config["MAX_JSON_DEPTH"], duplicate_keys=duplicate_keys
    )


def compact_json(data: Any, status: int = 200) -> Response:
    """Return a JSON response as Airflow 3 formats it: keys in order, no spaces, UTF-8."""
    return Response(to_json(data), status, content_type=JSON)  # Airflow 3 uses to_json too


def compact_json_with(name: str, value: bytes, others: dict[str, Any]) -> Response:
    """Return the response for an object whose first member is JSON already."""
    body = b'{"%b":%b,%b' % (name.encode(), value, to_json(others)[1:])
    return Response(body, content_type=JSON)


def json_list(values: Iterable[Any]) -> str:
    """Return values as compact JSON, separated by commas."""
    return to_json([*values])[1:-1].decode()


def indented_json(data: Any, status: int = 200, content_type: str = JSON) -> Response:
    """Return a JSON response as Airflow 2 formats it: keys sorted, indented, ASCII.

    Raises ValueError for NaN and infinity.
    """
    text = json.dumps(data, indent=2, sort_keys=True, allow_nan=False) + "\n"
    return Response(text, status, content_type=content_type)


class BoundedText:
    """The parts of a response in ASCII.

    Adding to them raises ResponseTooLarge above the maximum size, so that a response that is too
    large is never built.
    """

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self._left = self._limit = current_app.config[MAX_RESPONSE]

    def add(self, text: str) -> None:
        """Add text."""
        self._left -= len(text)
        if self._left < 0:
            raise ResponseTooLarge(self._limit)
        self.parts.append(text.encode("ascii"))

    def add_json(self, data: Any, indent: str = "") -> None:
        """Add JSON as `indented_json` formats it, with more indentation after each line break."""
        pieces = _ENCODER.iterencode(data)
        while some := "".join(itertools.islice(pieces, _PIECES)):
            self.add(some.replace("\n", "\n" + indent) if indent else some)


def bounded_json(data: Any) -> Response:
    """Return the same response as `indented_json`; raise ResponseTooLarge for one too large."""
    text = BoundedText()
    text.add_json(data)
    text.add("\n")
    return Response(text.parts, content_type=JSON)


def require_fit(text: str) -> None:
    """Raise ResponseTooLarge for a JSON text that no response with indentation could repeat."""
    if are_large([text]):
        try:
            BoundedText().add_json(json.loads(text))
        except ResponseTooLarge as error:
            raise ResponseTooLarge(error.limit, is_refused=True) from None


def bounded_rows(name: str, rows: Iterable[Any], others: dict[str, Any]) -> Response:
    """Return the same response as `indented_json_with` for rows, of which only one is in memory.

    Raises ResponseTooLarge for one too large. There must be a row.
    """
    text = BoundedText()
    separator = f'{{\n  "{name}": ['
    for row in rows:
        text.add(separator + "\n    ")
        text.add_json(row, indent="    ")
        separator = ","
    text.add("\n  ],\n  " + json.dumps(others, indent=2)[4:] + "\n")
    return Response(text.parts, content_type=JSON)


def are_large(texts: Iterable[str]) -> bool:
    """Return whether JSON texts are so long that a response must be built in bounded parts."""
    return sum(map(len, texts)) > LARGE


def bounded(texts: Iterable[str]) -> Iterator[str]:
    """Yield texts; raise ResponseTooLarge if they are larger together than a response may be."""
    left = limit = current_app.config[MAX_RESPONSE]
    for text in texts:
        left -= len(text)
        if left < 0:
            raise ResponseTooLarge(limit)
        yield text


def is_too_large(response: Response) -> bool:
    """Return whether a response of the API is larger than a response may be; errors never are."""
    return (
        response.status_code < 400
        and not response.is_streamed
        and request.path.startswith("/api/")
        and (response.calculate_content_length() or 0) > current_app.config[MAX_RESPONSE]
    )


def indented_json_fast(data: Any) -> Response:
    """Return the same response as `indented_json` in a seventh of the time.

    The keys of `data` must be sorted already, and its floats must be plain.
    """
    try:
        body = to_json(data, indent=2, ensure_ascii=True)
    except PydanticSerializationError:  # a lone surrogate
        return indented_json(data)
    return Response(body.replace(b"\x7f", b"\\u007f") + b"\n", content_type=JSON)


def indented_json_with(name: str, rows: str, others: dict[str, Any]) -> Response:
    """Return the response of `indented_json` for an object whose first member is a list of rows.

    `rows` is its JSON without brackets, indented by 4. The keys of `others` must be sorted.
    """
    body = f'{{\n  "{name}": [{rows}\n  ],\n  ' + json.dumps(others, indent=2)[4:] + "\n"
    return Response(body.replace("\x7f", "\\u007f"), content_type=JSON)


def have_plain_floats(texts: Sequence[str]) -> bool:
    """Return whether all floats in JSON texts are plain."""
    if not _MAY_BE_OTHER_FLOAT.search("\n".join(texts)):
        return True
    return all(is_plain(json.loads(text)) for text in texts)


def is_plain(value: Any) -> bool:
    """Return whether all floats in a JSON value are plain: to_json formats them as Python does."""
    if type(value) is float:
        return value == 0 or _PLAIN_FLOATS[0] <= abs(value) < _PLAIN_FLOATS[1]
    if type(value) is dict:
        return all(map(is_plain, value.values()))
    return all(map(is_plain, value)) if type(value) is list else True
