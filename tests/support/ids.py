"""A pytest plugin: readable ids of parametrized cases, the same in every process."""

import enum
from datetime import datetime
from typing import Any

LONGEST = 60
"""How many characters of a value an id shows; of a longer one it shows both ends."""

ENDS = 20


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Return the id of a value without an id of its own; None leaves it to pytest.

    A short value that says little, such as None or an empty text, stands after its parameter.
    """
    if isinstance(val, enum.Enum):
        return None
    if isinstance(val, datetime):
        return val.isoformat()
    if isinstance(val, Exception):
        return type(val).__name__
    if val is None or isinstance(val, bool | int | float):
        return shortened(f"{argname}={val}")
    if isinstance(val, str | bytes):
        text = ascii(val)
        is_plain = isinstance(val, str) and val.strip()
        return shortened(text[1:-1] if is_plain else f"{argname}={text}", val)
    if isinstance(val, list | tuple | dict | set | frozenset):
        text = _ascii_of(val)
        return None if " at 0x" in text else shortened(text)  # an address differs by process
    return None


def shortened(text: str, value: str | bytes = "") -> str:
    """Return a text, or its ends if it is long; a repeated character is shown once."""
    if len(text) <= LONGEST:
        return text
    if len(set(value)) == 1:
        return f"{value[:1]!a} x {len(value)}"
    return f"{text[:ENDS]}...{text[-ENDS:]}"


def _ascii_of(container: Any) -> str:
    if isinstance(container, set | frozenset):
        return "{" + ", ".join(sorted(map(ascii, container))) + "}"
    return ascii(container)
