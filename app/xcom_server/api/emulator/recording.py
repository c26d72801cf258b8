"""Hooks that write every request to the journal before its response is sent."""

import codecs
import functools
import logging
import re
import time
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from flask import Flask, Response, request

from xcom_server.api import json_io
from xcom_server.emulator import listed, masks
from xcom_server.emulator.records import (
    MAX_BODY,
    MAX_HEADER,
    MAX_HEADERS,
    MAX_URL,
    RequestRecord,
    cut,
)
from xcom_server.errors import Unavailable
from xcom_server.observability import request_state
from xcom_server.storage.emulator import EmulatorState

_log = logging.getLogger(__name__)
_NOT_RECORDED = re.compile(r"/(?:(?:_emulator|api/v\d+/ui)(?:/.*)?|live|ready|metrics)", re.DOTALL)
_LOGIN = re.compile(r"/auth(?:/|$)|login|/token", re.IGNORECASE)
_MAX_WORD = 100  # characters of a method and of a media type
_PRINTABLE = "".join(map(chr, range(0x21, 0x7F)))
_MAX_UNCOMPRESSED = 64 * 1024 * 1024  # bytes of a response


def mount(app: Flask, state: EmulatorState, auth: str) -> None:
    """Record the requests to an application.

    Functions after a request are called in reverse order, so call this before others are added.
    """

    @app.after_request
    def record(response: Response) -> Response:
        if not _NOT_RECORDED.fullmatch(request.environ.get("PATH_INFO", "")):
            try:
                state.record(_record(response, auth).bounded().as_dict())
            except Unavailable as error:
                _log.warning("A request is missing in the journal: %s", error.reason)
            except Exception:  # the client gets its response in any case
                _log.exception("A request is missing in the journal")
        return response


def _record(response: Response, auth: str) -> RequestRecord:
    state = request_state.current()
    seconds = time.perf_counter() - state.started
    path, query = _target()
    shown = _response_body(response)
    total_entries, items = listed.count(shown) if response.status_code < 400 else (None, None)
    return RequestRecord(
        at=datetime.fromtimestamp(time.time() - seconds, UTC).isoformat(timespec="microseconds"),
        client=_header("User-Agent", request.headers.get("User-Agent", "")),
        method=cut(_ascii(request.method), _MAX_WORD),
        path=_masked(masks.text, path, MAX_URL),
        query=_masked(masks.query, query, MAX_URL),
        operation=request.endpoint or "",
        authorization=masks.scheme(request.headers.get("Authorization", "")),
        headers=_headers(),
        body=_shown(masks.login if _LOGIN.search(path) else masks.text, _body()),
        status=response.status_code,
        content_type=cut(response.content_type or "", _MAX_WORD),
        response=_shown(masks.text, shown),
        total_entries=total_entries,
        items=items,
        milliseconds=round(seconds * 1000, 3),
        fault=state.fault,
        auth=auth,
    )


def _target() -> tuple[str, str]:
    """Return the path and the query as they were sent, without a host and the base path."""
    environ = request.environ
    target = environ.get("RAW_URI") or ""
    if not target.startswith("/"):  # a URL with a host, or another WSGI server
        target = quote(environ.get("SCRIPT_NAME", "") + environ["PATH_INFO"], encoding="latin-1")
        target += "?" + environ.get("QUERY_STRING", "")
    raw = quote(target.encode("latin-1", "replace"), safe=_PRINTABLE)
    path, _, query = raw.partition("?")
    return path.removeprefix(quote(request.script_root)) or "/", query


def _headers() -> dict[str, str]:
    """Return the headers as far as they are not longer together than MAX_HEADERS."""
    found: dict[str, str] = {}
    left = MAX_HEADERS
    for name, value in request.headers:
        name, value = cut(_ascii(name), MAX_HEADER), _header(name, value)
        left -= len(name) + len(value)
        if left < 0:
            break
        found[name] = value
    return found


@functools.lru_cache(maxsize=256)  # most requests of a client have the same headers
def _header(name: str, value: str) -> str:
    mask = functools.partial(masks.header, name)
    return _masked(mask, _ascii(value), MAX_HEADER)


def _body() -> bytes:
    """Return the body of the request, empty for one that cannot be read or is too large."""
    try:
        return json_io.read_body()
    except Exception:  # the response is an error already
        return b""


def _response_body(response: Response) -> bytes:
    """Return the body of a response without its compression, empty for a stream."""
    if response.is_streamed or response.direct_passthrough or request.method == "HEAD":
        return b""
    data = response.get_data()
    if response.headers.get("Content-Encoding") != "gzip":
        return data
    return zlib.decompressobj(wbits=31).decompress(data, _MAX_UNCOMPRESSED)


def _shown(mask: Callable[[str], str], body: bytes) -> str:
    """Return a body as text, cut and masked; bytes that are not UTF-8 are escaped."""
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    text = decoder.decode(body[:MAX_BODY])  # without a character that is cut off at the end
    return _masked(mask, text + "…" if len(body) > MAX_BODY else text, MAX_BODY)


def _masked(mask: Callable[[str], str], text: str, limit: int) -> str:
    """Return at most `limit` characters of a text, masked after it was cut to bound the time."""
    shown = cut(mask(text[:limit]), limit)
    return shown[: limit - 1] + "…" if len(text) > limit else shown


def _ascii(text: str) -> str:
    """Return a text with escapes for all characters that are not printable ASCII."""
    return text if text.isascii() and text.isprintable() else ascii(text)[1:-1]
