"""Datetimes in the format of RFC 3339, parsed strictly."""

import re
from datetime import UTC, datetime

_RFC3339 = re.compile(
    r"(?P<day>\d{4}-\d{2}-\d{2})[Tt ]"
    r"(?P<time>([01]\d|2[0-3]):[0-5]\d:[0-5]\d)(\.(?P<fraction>\d+))?"
    r"(?P<zone>[Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)", re.ASCII)


def parse_rfc3339(text: str) -> datetime:
    """Return the datetime in UTC; digits after the microsecond are dropped.

    Raises ValueError unless the text has a date, a time and a zone, and for a datetime outside
    the years 1 to 9999.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"{text[:100]!r} is not an RFC 3339 date with a time zone")
    micros = (match["fraction"] or "")[:6].ljust(6, "0")
    zone = "+00:00" if match["zone"] in "Zz" else match["zone"]
    try:
        return datetime.fromisoformat(
            f"{match['day']}T{match['time']}.{micros}{zone}").astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text[:100]!r} is outside the years 1 to 9999") from None
