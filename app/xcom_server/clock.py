"""The clock of the server, and ids that sort by the time of their creation."""

import secrets
import threading
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime

Source = Callable[[], datetime]  # returns a time in UTC

_lock = threading.Lock()
_last = 0  # the newest time in an id, in nanoseconds
_STEP = 250  # nanoseconds; an id holds the time to 1/4096 ms, which is 244 ns
# Of each thread, so that a request whose clock is older does not change that of another request.
_source: ContextVar[Source | None] = ContextVar("source", default=None)


def now() -> datetime:
    """Return the current time in UTC, which the emulator can set."""
    source = _source.get()
    return datetime.now(UTC) if source is None else source()


def follow(source: Source | None) -> None:
    """Use another source of the time in this thread, or with None that of the machine."""
    _source.set(source)


def new_id() -> str:
    """Return a UUID of version 7 (RFC 9562), which is greater than any that this process made.

    Of ids made by several processes, the older one is smaller, to the precision of their clocks.
    Ids have the time of the machine, because their order is the order of insertion.
    """
    nanoseconds = _later_time()
    milliseconds, rest = divmod(nanoseconds, 1_000_000)
    fraction = rest * 4096 // 1_000_000
    number = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0x2 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=number))


def _later_time() -> int:
    """Return the time in nanoseconds, or a later one if an id with that time exists."""
    global _last
    with _lock:
        _last = max(time.time_ns(), _last + _STEP)
        return _last
