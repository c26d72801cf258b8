"""JSON as RFC 8259 means it, with nothing that two readers could understand differently.

Python's own reader takes NaN, 1e400 (as infinity), repeated names and lone surrogates; each of
them is refused here, because what one reader of an entry sees another must see too.
"""

import json
import math
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import Any

MAX_DEPTH = 64
_WHITESPACE = " \t\n\r"


class InvalidJson(ValueError):
    """The text is not JSON at all."""


class AmbiguousJson(InvalidJson):
    """The text is JSON to some readers only; the message says what it holds."""


class JsonObject(dict[str, Any]):
    """A JSON object that still knows the text it was read from."""

    text: str

    def text_of(self, name: str) -> str:
        """Return the text of a member's value exactly as it stood in the document."""
        position = _skip(self.text, self.text.index("{") + 1)
        while True:
            member, position = scanstring(self.text, position + 1)
            start = _skip(self.text, _skip(self.text, position) + 1)
            _, end = _LENIENT.raw_decode(self.text, start)
            if member == name:
                return self.text[start:end]
            position = _skip(self.text, _skip(self.text, end) + 1)


def loads(text: str, max_depth: int = MAX_DEPTH) -> Any:
    """Read a JSON text; an object at the top is a JsonObject.

    Raises InvalidJson for what no reader takes, AmbiguousJson for NaN, Infinity, numbers too
    large for a float, repeated names, lone surrogates and nesting beyond `max_depth`.
    """
    try:
        value = _STRICT.decode(text)
    except AmbiguousJson:
        raise
    except RecursionError:
        raise AmbiguousJson(f"nesting beyond {max_depth} levels") from None
    except ValueError as error:
        raise InvalidJson(str(error)) from None
    _check(value, max_depth)
    if isinstance(value, dict):
        value = JsonObject(value)
        value.text = text
    return value


def elements(text: str) -> list[str]:
    """Return the text of each element of a JSON array, without reading it strictly.

    Raises InvalidJson where the text is not an array, or not JSON up to some element.
    """
    position = _skip(text, 0)
    if text[position : position + 1] != "[":
        raise InvalidJson("not an array")
    found: list[str] = []
    position = _skip(text, position + 1)
    while text[position : position + 1] != "]":
        try:
            _, end = _LENIENT.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise InvalidJson(f"element {len(found) + 1}: {error}") from None
        found.append(text[position:end])
        position = _skip(text, end)
        after = text[position : position + 1]
        if after == ",":
            position = _skip(text, position + 1)
        if after not in (",", "]") or (after == "," and text[position : position + 1] == "]"):
            raise InvalidJson(f"element {len(found)}: expecting ',' and another, or ']' after it")
    if _skip(text, position + 1) < len(text):
        raise InvalidJson("something after the array")
    return found


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position


def _check(value: Any, max_depth: int) -> None:
    """Walk the value level by level, without recursion, so that depth itself can be refused."""
    level = [value]
    for depth in range(max_depth + 1):
        if depth == max_depth and any(isinstance(each, list | dict) for each in level):
            raise AmbiguousJson(f"nesting beyond {max_depth} levels")
        level = [inner for outer in level for inner in _inside(outer)]


def _inside(value: Any) -> list[Any]:
    if isinstance(value, str):
        _refuse_surrogates(value)
    elif isinstance(value, list):
        return value
    elif isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return []


def _refuse_surrogates(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AmbiguousJson("a lone surrogate, which is no character") from None


def _refuse_constant(name: str) -> Any:
    raise AmbiguousJson(f"{name}, which JSON does not have")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise AmbiguousJson("a number too large for a float")
    return number


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise AmbiguousJson(f"the name {name[:100]!r} twice")
        members[name] = value
    return members


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite,
                           object_pairs_hook=_unique)
_LENIENT = json.JSONDecoder()
