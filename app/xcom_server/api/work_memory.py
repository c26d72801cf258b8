"""A limit on the memory that the requests of a worker need at once for large JSON.

Parsed JSON takes up to 44 times the memory of its text: an empty list is 2 characters and 64 bytes.
A request with a large body or a large stored value therefore reserves memory before it is parsed,
and returns it when it ends. Other requests with large JSON wait meanwhile, and all others do not.
"""

import threading
from collections.abc import Collection

from flask import Flask, current_app

from xcom_server.api.authorization import only_reads
from xcom_server.errors import Unavailable
from xcom_server.observability import request_state

FREE = 4 * 1024 * 1024  # bytes that a request uses without reserving them
MAX_WAIT_SECONDS = 2.0

_EXTENSION = "work_memory"
_LARGEST_FACTOR = 44  # of parsed JSON to its text: a level of `[[[]]]` is 2 characters, 88 bytes
_ROW_BYTES = 13 * 1024  # of a task instance with the longest ids and note; measured at 10,000
_COPIES = 6  # of a text: as bytes, as text, and the parts of the response

_ESCAPES_AND_RESERVED = ("\\u", "__")  # a text with these is parsed again to find reserved keys


class WorkMemory:
    """The memory of a worker for large JSON, `total` bytes.

    At most all threads but two wait for memory, so that one serves other requests.
    """

    def __init__(self, total: int, threads: int) -> None:
        self._total = self._free = total
        self._waiting = 0
        self._max_waiting = max(threads - 2, 0)
        self._changed = threading.Condition()

    def take(self, size: int, *, may_refuse: bool) -> int:
        """Wait until `size` bytes are free, or all if it is more, and return what was taken.

        If they are not free after MAX_WAIT_SECONDS, or if too many requests wait, raises
        Unavailable, or takes them nevertheless if `may_refuse` is false.
        """
        size = min(size, self._total)
        with self._changed:
            if self._free < size and not self._wait(size) and may_refuse:
                raise Unavailable("Too many requests with large JSON are being processed.")
            self._free -= size
        return size

    def give_back(self, size: int) -> None:
        """Make `size` bytes free again."""
        with self._changed:
            self._free += size
            self._changed.notify_all()

    def _wait(self, size: int) -> bool:
        if self._waiting >= self._max_waiting:
            return False
        self._waiting += 1
        try:
            return self._changed.wait_for(lambda: self._free >= size, MAX_WAIT_SECONDS)
        finally:
            self._waiting -= 1


def mount(app: Flask, total: int, threads: int) -> None:
    """Add the memory of a worker to an application, which returns it at the end of each request."""
    app.extensions[_EXTENSION] = WorkMemory(total, threads)
    app.teardown_request(_give_back)


def reserve(texts: Collection[str], copies: int = 1) -> None:
    """Reserve the memory for parsing JSON texts and for the response with them.

    A request reserves memory only once, because two requests that wait for each other would not
    end. Raises Unavailable if other requests need the memory and this one has changed nothing.
    """
    if sum(map(len, texts)) * (_COPIES + _LARGEST_FACTOR * copies) <= FREE:
        return
    _reserve(sum(cost(text, copies) for text in texts))


def reserve_rows(count: int) -> None:
    """Reserve the memory for reading and writing up to `count` rows with the longest texts.

    Raises Unavailable as `reserve` does.
    """
    _reserve(count * _ROW_BYTES)


def _reserve(size: int) -> None:
    state = request_state.current()
    if size <= FREE or state.reserved:
        return
    may_refuse = only_reads() or state.json is request_state.UNPARSED
    state.reserved = current_app.extensions[_EXTENSION].take(size, may_refuse=may_refuse)


def cost(text: str, copies: int = 1) -> int:
    """Return about how many bytes of memory a request needs for copies of a parsed JSON text."""
    objects = (
        88 * text.count("[") + 200 * text.count("{") + 40 * text.count(",") + 28 * text.count('"')
    )
    is_parsed_again = any(each in text for each in _ESCAPES_AND_RESERVED)
    return objects * (2 if is_parsed_again else copies) + len(text) * _COPIES


def _give_back(error: BaseException | None) -> None:
    state = request_state.current()
    if state.reserved:
        current_app.extensions[_EXTENSION].give_back(state.reserved)
        state.reserved = 0
