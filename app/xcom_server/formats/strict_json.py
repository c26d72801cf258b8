"""A strict JSON parser: it rejects every text that two parsers could read differently.

Python's own parser accepts NaN, 1e400 (as infinity), duplicate keys and lone surrogates.  This one
rejects them, because all clients must read the same value from an entry.
"""

import json
import math
from collections.abc import Iterator
from typing import Any

MAX_DEPTH = 64
_WHITESPACE = " \t\n\r"
_TRAILING_COMMA = {
    "Illegal trailing comma before end of object": (
        "Expecting property name enclosed in double quotes"
    ),
    "Illegal trailing comma before end of array": "Expecting value",
}
"""Messages of Python 3.13 and later, and those of the Pythons that Airflow was recorded on."""


class InvalidJson(ValueError):
    """The text is not JSON.

    `reason` is the parser's message, and `position` is the index of the offending character.
    """

    reason = ""
    position = 0


class AmbiguousJson(InvalidJson):
    """Only some parsers accept the text; the message names the part that others reject."""


class UnreadableJson(AmbiguousJson):
    """Many parsers reject the text, because it is nested too deeply or not UTF-8."""


class DuplicateKey(AmbiguousJson):
    """An object contains the same key twice."""


class JsonObject(dict[str, Any]):
    """A JSON object that keeps its source text.

    `has_duplicate_keys` is true if any object in the text contains the same key twice.
    """

    def __init__(
        self, members: dict[str, Any], raw_members: dict[str, str], *, has_duplicate_keys: bool
    ) -> None:
        super().__init__(members)
        self._raw_members = raw_members
        self.has_duplicate_keys = has_duplicate_keys

    def raw(self, key: str) -> str:
        """Return the source text of a member's value, unchanged.

        If the text has duplicate keys, return the parsed value as JSON instead.
        """
        return json.dumps(self[key]) if self.has_duplicate_keys else self._raw_members[key]


def loads(text: str, max_depth: int = MAX_DEPTH, *, duplicate_keys: bool = False) -> Any:
    """Return the value of a JSON text; an object at the top level becomes a JsonObject.

    Raises InvalidJson for a text that is not JSON, and AmbiguousJson for NaN, Infinity, numbers
    too large for a float, lone surrogates, nesting beyond `max_depth` and duplicate keys.  With
    `duplicate_keys`, duplicate keys are accepted and the last one wins.
    """
    if (parsed := _parse_object(text)) is not None:
        _check(parsed, max_depth)
        return parsed
    try:
        value, has_duplicates = _decode(_STRICT, text, max_depth), False
    except DuplicateKey:
        if not duplicate_keys:
            raise
        value, has_duplicates = _decode(_LAST_DUPLICATE_WINS, text, max_depth), True
    _check(value, max_depth)
    if isinstance(value, dict):
        return JsonObject(value, {}, has_duplicate_keys=has_duplicates)
    return value


def split_array(text: str) -> list[str]:
    """Return the source text of each element of a JSON array.

    Elements may be ambiguous JSON.  Raises InvalidJson if the text is not an array or an element
    is not JSON.
    """
    position = _skip_whitespace(text, 0)
    if text[position : position + 1] != "[":
        raise InvalidJson("not an array")
    elements: list[str] = []
    position = _skip_whitespace(text, position + 1)
    while text[position : position + 1] != "]":
        try:
            _, end = _LENIENT.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise InvalidJson(f"element {len(elements) + 1}: {error}") from None
        elements.append(text[position:end])
        position = _skip_whitespace(text, end)
        after = text[position : position + 1]
        if after == ",":
            position = _skip_whitespace(text, position + 1)
        if after not in (",", "]") or (after == "," and text[position : position + 1] == "]"):
            raise InvalidJson(
                f"element {len(elements)}: expecting ',' and another element, or ']', after it"
            )
    if _skip_whitespace(text, position + 1) < len(text):
        raise InvalidJson("extra data after the array")
    return elements


def split_object(text: str) -> dict[str, str]:
    """Return the source text of each member of a JSON object.

    Values may be ambiguous JSON.  Raises InvalidJson if the text is not an object, and DuplicateKey
    if a key is there twice.
    """
    if not isinstance(_decode(_LENIENT, text, MAX_DEPTH), dict):
        raise InvalidJson("not an object")
    return _unique_keys([*_members(text)])


def _parse_object(text: str) -> JsonObject | None:
    """Return a JSON object with the source texts of its members, which are parsed only once.

    Returns None for every other text, also for an object that is not valid or has a key twice.
    """
    position = _skip_whitespace(text, 0)
    if text[position : position + 1] != "{":
        return None
    members: dict[str, Any] = {}
    raw_members: dict[str, str] = {}
    separator = "{"
    try:
        while separator != "}":
            position = _skip_whitespace(text, position + 1)
            if text[position] == "}" and separator == "{":
                break
            key, colon = _STRICT.raw_decode(text, position)
            colon = _skip_whitespace(text, colon)
            if not isinstance(key, str) or key in members or text[colon] != ":":
                return None
            start = _skip_whitespace(text, colon + 1)
            members[key], end = _STRICT.raw_decode(text, start)
            raw_members[key] = text[start:end]
            position = _skip_whitespace(text, end)
            separator = text[position]
            if separator not in ",}":
                return None
    except (ValueError, IndexError, RecursionError):
        return None
    if _skip_whitespace(text, position + 1) != len(text):
        return None
    return JsonObject(members, raw_members, has_duplicate_keys=False)


def _members(text: str) -> Iterator[tuple[str, str]]:
    """Yield the key and the source text of each member of a valid JSON object."""
    position = text.index("{")
    while text[position] != "}":  # otherwise it is the `{` or `,` before a member
        start = _skip_whitespace(text, position + 1)
        if text[start] == "}":
            return
        key, colon = _LENIENT.raw_decode(text, start)
        start = _skip_whitespace(text, _skip_whitespace(text, colon) + 1)
        _, end = _LENIENT.raw_decode(text, start)
        yield key, text[start:end]
        position = _skip_whitespace(text, end)


def _decode(decoder: json.JSONDecoder, text: str, max_depth: int) -> Any:
    try:
        return decoder.decode(text)
    except AmbiguousJson:
        raise
    except RecursionError:
        raise UnreadableJson(f"nesting beyond {max_depth} levels") from None
    except json.JSONDecodeError as error:
        if message := _TRAILING_COMMA.get(error.msg):  # these point at the comma
            error = json.JSONDecodeError(message, text, _skip_whitespace(text, error.pos + 1))
        invalid = InvalidJson(str(error))
        invalid.reason, invalid.position = error.msg, error.pos
        raise invalid from None
    except ValueError as error:  # an integer with too many digits
        raise InvalidJson(str(error)) from None


def _skip_whitespace(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position


def _check(value: Any, max_depth: int) -> None:
    """Reject deep nesting and lone surrogates; without recursion, so that any depth works."""
    level, depth = [value], 0
    while level:
        if depth == max_depth and any(isinstance(each, list | dict) for each in level):
            raise UnreadableJson(f"nesting beyond {max_depth} levels")
        level, depth = [child for parent in level for child in _children(parent)], depth + 1


def _children(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise AmbiguousJson("a lone surrogate, which is not a character") from None
    return []


def _refuse_constant(name: str) -> Any:
    raise AmbiguousJson(f"{name}, which is not valid in JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise AmbiguousJson("a number too large for a float")
    return number


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise DuplicateKey(f"the duplicate key {key[:100]!r}")
        members[key] = value
    return members


_STRICT = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_unique_keys
)
_LAST_DUPLICATE_WINS = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_LENIENT = json.JSONDecoder()
