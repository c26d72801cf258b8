"""The emulator's clock: its definition, and how requests change it.

A definition is JSON-like data: empty for the time of the machine, `frozen_at` (RFC 3339) for a
clock that stands still, or `offset_seconds` for one that runs ahead of the machine or behind it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from xcom_server.clock import Source
from xcom_server.formats.rfc3339 import parse_date_time

FIRST_YEAR, LAST_YEAR = 1970, 9000  # so that scripts and tokens can add to every time

Definition = dict[str, Any]


class InvalidClock(Exception):
    """A request for a time that the clock cannot have; the message is for the client."""


def source(definition: Mapping[str, Any]) -> Source | None:
    """Return the source of the time with this definition, None for the machine."""
    if "frozen_at" in definition:
        frozen_at = parse_date_time(definition["frozen_at"])
        return lambda: frozen_at
    if definition.get("offset_seconds"):
        offset = timedelta(seconds=definition["offset_seconds"])
        return lambda: datetime.now(UTC) + offset
    return None


def now(definition: Mapping[str, Any]) -> datetime:
    """Return the time that a clock shows."""
    found = source(definition)
    return found() if found else datetime.now(UTC)


def changed(definition: Mapping[str, Any], body: Mapping[str, Any]) -> Definition:
    """Return the definition after a request to set the clock.

    `freeze` is True to stop the clock, False to let it run from the time that it shows, or a time
    in RFC 3339. Raises InvalidClock.
    """
    offset, freeze = body.get("offset_seconds", 0), body.get("freeze")
    if isinstance(freeze, str):
        return _frozen(parse_date_time(freeze), offset)
    if freeze:
        return _frozen(now(definition), offset)
    if freeze is False and "offset_seconds" not in body:
        offset = (now(definition) - datetime.now(UTC)).total_seconds()
    return _running(offset)


def advanced(definition: Mapping[str, Any], seconds: float) -> Definition:
    """Return the definition of a clock that was moved forward.  Raises InvalidClock."""
    if "frozen_at" in definition:
        return _frozen(now(definition), seconds)
    _moved(now(definition), seconds)  # an integer may be too large to be added to a float
    return _running(definition.get("offset_seconds", 0) + seconds)


def in_words(definition: Mapping[str, Any]) -> str:
    """Return what a clock does, for the log; empty for the time of the machine."""
    if "frozen_at" in definition:
        return f"the clock stands still at {definition['frozen_at']}"
    if seconds := definition.get("offset_seconds"):
        return f"the clock is {abs(seconds):g} s {'ahead' if seconds > 0 else 'behind'}"
    return ""


def _frozen(time: datetime, seconds: float) -> Definition:
    return {"frozen_at": _moved(time, seconds).isoformat()}


def _running(offset: float) -> Definition:
    _moved(datetime.now(UTC), offset)
    return {"offset_seconds": offset} if offset else {}


def _moved(time: datetime, seconds: float) -> datetime:
    try:
        moved = time + timedelta(seconds=seconds)
    except OverflowError:
        moved = datetime.max
    if not FIRST_YEAR <= moved.year <= LAST_YEAR:
        raise InvalidClock(f"The clock must be in the years {FIRST_YEAR} to {LAST_YEAR}.")
    return moved
