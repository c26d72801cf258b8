"""The classes of rebuilt objects, and their JSON in Airflow 2.10.5.

Only objects of the classes in the tables below are rebuilt.  Their `str()` and `repr()` equal
those of the original classes, including pendulum's, because v1 returns `str()` of a value.
"""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

COLLECTIONS = ("builtins.tuple", "builtins.set", "builtins.frozenset")

# The errors of `rebuild` for a class that is not in the tables, and for invalid data.
REBUILD_ERRORS = (TypeError, ValueError, LookupError, ArithmeticError, OSError)
MAX_DECIMAL_DIGITS = 4000  # a Decimal with more digits becomes a JSON string, not a number

_TIMEZONE = "pendulum.tz.timezone.Timezone"
_FIXED_TIMEZONE = "pendulum.tz.timezone.FixedTimezone"
_ZONEINFO = "zoneinfo.ZoneInfo"

# Zone names of version 1 that the time zone database lacks: an offset in seconds, or a zone.
_DAYLIGHT_SAVING = {
    "EDT": -4 * 3600,
    "CDT": -5 * 3600,
    "MDT": -6 * 3600,
    "PDT": -7 * 3600,
    "CEST": "CET",
}


class Zone(ZoneInfo):
    """A named time zone with pendulum's repr."""

    def __repr__(self) -> str:
        return f"Timezone('{self.key}')"


class FixedZone(tzinfo):
    """A time zone with a fixed offset, in seconds east of UTC, with pendulum's name and repr."""

    def __init__(self, seconds: int) -> None:
        self._zone = timezone(timedelta(seconds=seconds))
        self.seconds = seconds

    def utcoffset(self, when: datetime | None) -> timedelta:
        """Return the fixed offset."""
        return self._zone.utcoffset(when)

    def dst(self, when: datetime | None) -> timedelta:
        """Return zero, since the offset is fixed."""
        return timedelta(0)

    def tzname(self, when: datetime | None) -> str:
        """Return the offset in the form `+05:30`."""
        return self._zone.tzname(when).removeprefix("UTC") or "+00:00"

    def __repr__(self) -> str:
        return f'FixedTimezone({self.seconds}, name="{self.tzname(None)}")'


class PendulumDateTime(datetime):
    """A datetime with pendulum's repr."""

    def __repr__(self) -> str:
        return "DateTime" + repr(
            datetime(*self.timetuple()[:6], self.microsecond, self.tzinfo)
        ).removeprefix("datetime.datetime")


class OrderedSet(tuple[Any, ...]):
    """The elements of a set, in the same order in every process."""

    name = "set"

    def __repr__(self) -> str:
        inside = ", ".join(repr(each) for each in self)
        return f"{{{inside}}}" if self else "set()"


class OrderedFrozenSet(OrderedSet):
    """The elements of a frozenset, in the same order in every process."""

    name = "frozenset"

    def __repr__(self) -> str:
        return f"frozenset({super().__repr__() if self else ''})"


def rebuild(classname: str, version: int, data: Any) -> Any:
    """Return the object with this class name, serializer version and data.

    Raises one of REBUILD_ERRORS for an unknown class or invalid data.
    """
    if classname in _DATES:
        return _DATES[classname](version, data)
    build = _FROM_VERSION_1[classname]
    if version > 1:
        raise ValueError("written by a newer version of the serializer")
    return build(data)


def _ordered(kind: type[OrderedSet], data: Any) -> OrderedSet:
    distinct = dict.fromkeys(data)
    if all(isinstance(each, int | float) for each in distinct):
        return kind(set(distinct))  # numbers have the same hash, and so order, in every process
    return kind(distinct)


def _zone(name: Any) -> tzinfo:
    return FixedZone(name) if isinstance(name, int) else Zone(name)


def _datetime(kind: type[datetime], zone: tzinfo | None, version: int, data: Any) -> datetime:
    """Return a datetime; `zone` is the time zone for data without one."""
    if not isinstance(data, dict):
        raise TypeError("the data of a datetime must be an object")
    if version == 1 and "tz" in data:
        zone = _zone(_DAYLIGHT_SAVING.get(data["tz"], data["tz"]))
    elif data.get("tz"):
        name, classname, zone_version, *_ = data["tz"]
        zone = rebuild(_ZONEINFO if _ZONEINFO in classname else _TIMEZONE, zone_version, name)
    result = kind.fromtimestamp(float(data["timestamp"]), zone or UTC)
    return result if zone else result.replace(tzinfo=None)


def _timedelta(version: int, data: Any) -> timedelta:
    if not isinstance(data, str | float):
        raise TypeError("the data of a timedelta must be a number of seconds")
    return timedelta(seconds=float(data))


_FROM_VERSION_1: dict[str, Callable[[Any], Any]] = {
    "builtins.tuple": tuple,
    "builtins.set": partial(_ordered, OrderedSet),
    "builtins.frozenset": partial(_ordered, OrderedFrozenSet),
    "decimal.Decimal": lambda data: Decimal(str(data)),
    _FIXED_TIMEZONE: _zone,
    _TIMEZONE: _zone,
    _ZONEINFO: ZoneInfo,
}
"""Builders for classes whose newest version is 1; they take the data."""

_DATES: dict[str, Callable[[int, Any], Any]] = {
    "datetime.date": lambda version, data: date.fromisoformat(data),
    "datetime.datetime": partial(_datetime, datetime, None),
    "datetime.timedelta": _timedelta,
    "pendulum.datetime.DateTime": partial(_datetime, PendulumDateTime, Zone("UTC")),
}
"""Builders for classes of any version; they take the version and the data."""


def as_json(value: Any) -> Any:
    """Convert a value with rebuilt objects to JSON types, as Airflow 2.10.5's web server does."""
    match value:
        case OrderedSet() | timedelta() | tzinfo():
            return _serialize(value)
        case dict():
            return {key: as_json(each) for key, each in value.items()}
        case list() | tuple():
            return [as_json(each) for each in value]
        case datetime():
            return (value if value.tzinfo else value.replace(tzinfo=UTC)).isoformat()
        case date():
            return value.strftime("%Y-%m-%d")
        case Decimal():
            return _json_number(value)
    return value


def _serialize(value: Any) -> Any:
    """Return an object in the form of Airflow's serializer, for types that JSON lacks."""
    match value:
        case tuple():
            kind = value.name if isinstance(value, OrderedSet) else "tuple"
            return _envelope(f"builtins.{kind}", 1, [_serialize(each) for each in value])
        case timedelta():
            return _envelope("datetime.timedelta", 2, value.total_seconds())
        case tzinfo():
            name, classname = _zone_name(value)
            return _envelope(classname, 1, name)
        case datetime():
            zone = value.tzinfo and _serialize((*_zone_name(value.tzinfo), 1, True))
            classname = (
                "pendulum.datetime.DateTime"
                if isinstance(value, PendulumDateTime)
                else "datetime.datetime"
            )
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return _envelope(classname, 2, {"timestamp": aware.timestamp(), "tz": zone})
        case date():
            return _envelope("datetime.date", 2, value.isoformat())
        case Decimal():
            return _envelope("decimal.Decimal", 1, _json_number(value))
    return value


def _envelope(classname: str, version: int, data: Any) -> dict[str, Any]:
    return {"__classname__": classname, "__version__": version, "__data__": data}


def _zone_name(zone: tzinfo) -> tuple[str | int, str]:
    if isinstance(zone, FixedZone):
        return zone.seconds or "UTC", _FIXED_TIMEZONE
    return str(zone), _TIMEZONE if isinstance(zone, Zone) else _ZONEINFO


def _json_number(number: Decimal) -> int | float | str:
    if not number.is_finite() or abs(number.adjusted()) > MAX_DECIMAL_DIGITS:
        return str(number)  # JSON has no NaN, and 1E+9999999 would have megabytes of zeros
    is_whole = number.as_tuple().exponent >= 0  # type: ignore[operator]
    result = int(number) if is_whole else float(number)
    return result if abs(result) != float("inf") else str(number)
