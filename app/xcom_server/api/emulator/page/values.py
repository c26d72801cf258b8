"""The value of an entry as each operation of the API returns it."""

import json
from typing import Any, NamedTuple

from xcom_server.api.emulator.page import text
from xcom_server.values.decode import decode_v1

COLUMNS = ("v1 text", "v1 native", "v2 native")
QUERIES = ("", "stringify=false", "")  # that select them


class Shown(NamedTuple):
    """The start of a value as JSON; `length` is that of the whole JSON."""

    text: str
    length: int
    is_null: bool

    @property
    def is_cut(self) -> bool:
        """Whether the text is not the whole value."""
        return len(self.text) < self.length


def shown(stored: str, limit: int) -> tuple[Shown, ...]:
    """Return a stored value for each of COLUMNS, with at most `limit` characters."""
    v1 = decode_v1(stored)
    texts = (None if v1 is None else str(v1), v1, json.loads(stored))
    return tuple(_shown(value, limit) for value in texts)


def undecoded(stored: str, limit: int) -> tuple[Shown, ...]:
    """Return the start of a stored value, which is JSON, in place of each of COLUMNS."""
    return (Shown(text.start(stored, limit), len(stored), False),) * len(COLUMNS)


def _shown(value: Any, limit: int) -> Shown:
    whole = json.dumps(value, ensure_ascii=False)
    return Shown(text.start(whole, limit), len(whole), value is None)
