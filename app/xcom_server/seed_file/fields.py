"""The fields of the rows of seed files, with the kinds of values that they can have."""

import json
import math
import uuid
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from jsonschema import SchemaError
from jsonschema.validators import validator_for

from xcom_server.errors import OperatorError
from xcom_server.formats.rfc3339 import parse_rfc3339

MAX_NUMBER = 2**31 - 1  # the largest integer of a column


class InvalidSeedFile(OperatorError):
    """A seed file is invalid; the message names the file and the number of the row, from 1."""


class Kind(NamedTuple):
    """A kind of value: its description, and a function that returns what is stored for a value.

    The function raises TypeError or ValueError for another kind of value.
    """

    words: str
    read: Callable[[Any], Any]


Kinds = Mapping[str, Kind]


def given(row: Mapping[str, Any], kinds: Kinds, names: Mapping[str, str] | None = None) -> Any:
    """Return the values of the fields that a row has, by their names in the store.

    `names` are the names in the store that differ.  Raises InvalidSeedFile for a value of another
    kind.
    """
    names = names or {}
    return {
        names.get(name, name): value_of(name, row[name], kind)
        for name, kind in kinds.items()
        if name in row
    }


def value_of(name: str, value: Any, kind: Kind) -> Any:
    """Return what is stored for a value; raise InvalidSeedFile for another kind of value."""
    try:
        return kind.read(value)
    except (TypeError, ValueError):
        raise InvalidSeedFile(f"{name} must be {kind.words}") from None


def refuse_unknown(row: Mapping[str, Any], known: set[str]) -> None:
    """Raise InvalidSeedFile if a row has a field that is not known."""
    if unknown := sorted(row.keys() - known):
        raise InvalidSeedFile(f"unknown field {unknown[0]!r}; allowed: {', '.join(sorted(known))}")


def objects(row: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Return a field that is a list of objects, [] if the row does not have it."""
    found = row.get(name, [])
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise InvalidSeedFile(f"{name} is not a list of objects")
    return found


def or_null(kind: Kind) -> Kind:
    """Return the kind that also accepts null."""
    return Kind(f"{kind.words}, or null", lambda value: None if value is None else kind.read(value))


def one_of(*texts: str) -> Kind:
    """Return the kind of these texts."""
    return Kind(f"one of {', '.join(texts)}", lambda value: texts[texts.index(value)])


def whole(least: int) -> Kind:
    """Return the kind of integers from a least one to MAX_NUMBER."""
    words = f"a whole number from {least} to {MAX_NUMBER}"
    return Kind(
        words, lambda value: _required(value, type(value) is int and least <= value <= MAX_NUMBER)
    )


def a_list_of(kind: Kind, words: str) -> Kind:
    """Return the kind of lists whose elements are of a kind."""
    return Kind(words, lambda value: [kind.read(each) for each in _typed(value, list)])


def _required(value: Any, is_right: bool) -> Any:
    if not is_right:
        raise ValueError
    return value


def _typed(value: Any, kind: type) -> Any:
    return _required(value, isinstance(value, kind))


def _text(value: Any) -> str:
    return str(_required(value, isinstance(value, str) and "\0" not in value))


def _line(value: Any) -> str:
    return str(_required(_text(value), value.strip() == value != "" and "\n" not in value))


def _number(value: Any) -> float:
    return float(_required(value, type(value) in (int, float) and math.isfinite(value)))


def _delta(value: Any) -> dict[str, int]:
    parts = {name: _typed(value, dict).get(name, 0) for name in _DELTA_PARTS}
    _required(value, value.keys() <= parts.keys())
    return {name: int(_required(each, type(each) is int)) for name, each in parts.items()}


def _schedule(value: Any) -> Any:
    if isinstance(value, str):
        return _line(value)
    return value if isinstance(value, dict) and [*value] == ["assets"] else _delta(value)


def _param(value: Any) -> dict[str, Any]:
    param = dict(_typed(value, dict))
    _required(param, param.keys() <= {"value", "schema", "description", "class", "source"})
    schema = _typed(param.get("schema", {}), dict)
    kind = validator_for(schema)
    try:
        kind.check_schema(schema, format_checker=kind.FORMAT_CHECKER)  # also checks patterns
    except SchemaError:
        raise ValueError from None
    return param


def _zone(value: Any) -> str:
    try:
        return "UTC" if value == "UTC" else ZoneInfo(_line(value)).key
    except (KeyError, OSError):  # OSError: a folder of the time zone database
        raise ValueError from None


_DELTA_PARTS = ("days", "seconds", "microseconds")

TEXT = Kind("a string without NUL", _text)
LINE = Kind("a string of one line without spaces at its ends", _line)
FLAG = Kind("true or false", lambda value: _typed(value, bool))
NUMBER = Kind("a number", _number)
DATE = Kind("an RFC 3339 date with a time zone", parse_rfc3339)
DATE_TEXT = Kind(DATE.words, lambda value: parse_rfc3339(value).isoformat())
OBJECT = Kind("an object", lambda value: _typed(value, dict))
OBJECT_TEXT = Kind("an object", lambda value: json.dumps(_typed(value, dict), ensure_ascii=False))
UUID = Kind("a UUID", lambda value: str(uuid.UUID(_text(value))))
LINES = a_list_of(LINE, "a list of strings of one line")
OWNERS = a_list_of(
    Kind("", lambda value: _required(_line(value), "," not in value)),
    "a list of strings without commas",
)
ANY_LIST = Kind("a list", lambda value: _typed(value, list))
DELTA = Kind("an object with days, seconds and microseconds", _delta)
SCHEDULE = Kind(
    "a cron expression, an object with days, seconds and microseconds, or an object with assets",
    _schedule,
)
PARAMS = Kind(
    "an object of objects with value, schema (a JSON Schema) and description",
    lambda value: {name: _param(each) for name, each in _typed(value, dict).items()},
)
ZONE = Kind("the name of a time zone", _zone)
