"""A strict parser of RFC 3339 datetimes."""

import re
from datetime import UTC, datetime, timedelta

_RFC3339 = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.(?P<fraction>\d+))?"
    r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)",
    re.ASCII | re.IGNORECASE,
)


def parse_rfc3339(text: str) -> datetime:
    """Return the datetime in UTC; digits beyond microseconds are dropped.

    Raises ValueError for a text without a date, a time or a time zone, and for a datetime outside
    the years 1 to 9999.
    """
    date = parse_with_offset(text)
    try:
        return date.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:100]!r} is outside the years 1 to 9999") from None


def parse_with_offset(text: str) -> datetime:
    """Return the datetime with its offset from UTC; digits beyond microseconds are dropped.

    Raises ValueError for a text without a date, a time or a time zone.
    """
    if not _RFC3339.fullmatch(text):
        raise ValueError(f"{text[:100]!r} is not an RFC 3339 date with a time zone")
    return datetime.fromisoformat(text.upper())


def parse_date_time(text: str) -> datetime:
    """Return a `date-time` of JSON Schema in UTC: like `parse_rfc3339`, but always with a `T`.

    Raises ValueError as `parse_rfc3339` does.
    """
    if text[10:11] not in ("T", "t"):
        raise ValueError(f"{text[:100]!r} has no T between date and time")
    return parse_rfc3339(text)


def is_date(text: str, date: datetime) -> bool:
    """Return whether a text is a date that was truncated or rounded to the digits of the text.

    Clients whose dates have fewer digits than microseconds, as in JavaScript, send such texts.
    """
    match = _RFC3339.fullmatch(text)
    digits = min(6, len(match["fraction"] or "")) if match else 6
    unit = timedelta(microseconds=10 ** (6 - digits))
    return -unit < parse_rfc3339(text) - date <= unit / 2


def is_date_time(text: str) -> bool:
    """Return whether `parse_date_time` accepts the text."""
    try:
        parse_date_time(text)
    except ValueError:
        return False
    return True
