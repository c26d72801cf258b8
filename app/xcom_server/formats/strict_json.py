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
    """The text is not JSON at all.

    `reason` says why in a few words, and `position` is the character at which that shows.
    """

    reason = ""
    position = 0


class AmbiguousJson(InvalidJson):
    """The text is JSON to some readers only; the message says what it holds."""


class UnreadableJson(AmbiguousJson):
    """The text is beyond what many readers read at all: nested too deep, or not UTF-8."""


class DuplicateKey(AmbiguousJson):
    """An object gives a name twice."""


class JsonObject(dict[str, Any]):
    """A JSON object that still knows the text it was read from.

    `repeats` says that some object in the text gives a name twice.
    """

    def __init__(self, members: dict[str, Any], text: str, *, repeats: bool) -> None:
        super().__init__(members)
        self.text = text
        self.repeats = repeats
        self._texts: dict[str, str] = {}

    def text_of(self, name: str) -> str:
        """Return the text of a member's value exactly as it stood in the document.

        A text that gives names twice would be read differently by different readers: the value
        that was read is written anew in its place.
        """
        if self.repeats:
            return json.dumps(self[name])
        if name not in self._texts:
            self._texts[name] = self._found(name)
        return self._texts[name]

    def _found(self, name: str) -> str:
        position = _skip(self.text, self.text.index("{") + 1)
        while True:
            member, position = scanstring(self.text, position + 1)
            start = _skip(self.text, _skip(self.text, position) + 1)
            _, end = _LENIENT.raw_decode(self.text, start)
            if member == name:
                return self.text[start:end]
            position = _skip(self.text, _skip(self.text, end) + 1)


def loads(text: str, max_depth: int = MAX_DEPTH, *, duplicate_keys: bool = False) -> Any:
    """Read a JSON text; an object at the top is a JsonObject.

    Raises InvalidJson for what no reader takes, AmbiguousJson for NaN, Infinity, numbers too
    large for a float, lone surrogates, nesting beyond `max_depth` and, unless `duplicate_keys`
    allows them, names given twice; where they are allowed, the last one counts.
    """
    try:
        value, repeats = _decoded(_STRICT, text, max_depth), False
    except DuplicateKey:
        if not duplicate_keys:
            raise
        value, repeats = _decoded(_LAST_NAME_COUNTS, text, max_depth), True
    _check(value, max_depth)
    return JsonObject(value, text, repeats=repeats) if isinstance(value, dict) else value


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


def _decoded(decoder: json.JSONDecoder, text: str, max_depth: int) -> Any:
    try:
        return decoder.decode(text)
    except AmbiguousJson:
        raise
    except RecursionError:
        raise UnreadableJson(f"nesting beyond {max_depth} levels") from None
    except json.JSONDecodeError as error:
        invalid = InvalidJson(str(error))
        invalid.reason, invalid.position = error.msg, error.pos
        raise invalid from None
    except ValueError as error:  # an integer of too many digits
        raise InvalidJson(str(error)) from None


def _skip(text: str, position: int) -> int:
    while position < len(text) and text[position] in _WHITESPACE:
        position += 1
    return position


def _check(value: Any, max_depth: int) -> None:
    """Walk the value level by level, without recursion, so that depth itself can be refused."""
    level = [value]
    for depth in range(max_depth + 1):
        if depth == max_depth and any(isinstance(each, list | dict) for each in level):
            raise UnreadableJson(f"nesting beyond {max_depth} levels")
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
            raise DuplicateKey(f"the name {name[:100]!r} twice")
        members[name] = value
    return members


_STRICT = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite,
                           object_pairs_hook=_unique)
_LAST_NAME_COUNTS = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
_LENIENT = json.JSONDecoder()
