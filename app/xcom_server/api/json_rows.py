"""JSON of a page of rows: a template for one row, filled with the JSON of its values.

The values of a page become JSON column by column, in few calls. A dictionary for each row, and its
keys, would take longer than everything else in the request.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from pydantic_core import to_json

Column = Sequence[Any]
Texts = Sequence[str]
Name = TypeVar("Name")


_CACHED = 1024  # the number of results that `cached_for_short_texts` keeps
_SHORT = 200  # characters


def cached_for_short_texts(function: Callable[[str], str]) -> Callable[[str], str]:
    """Return a function that keeps its results for short texts: runs often have the same `conf`."""
    cached = lru_cache(_CACHED)(function)
    return lambda text: (cached if len(text) <= _SHORT else function)(text)


@dataclass(frozen=True)
class Value:
    """In the shape of a row, the value of a column."""

    column: str


class RowWriter:
    """Writes rows of one shape: a dictionary of a Value or a constant for each key.

    The columns in `dates` contain datetimes in UTC or None, those in `texts` JSON texts, and the
    others strings, numbers, booleans or None. `utc` is how a date ends. With `indent`, each row
    and each key has its own line, which starts with this number of spaces, or two more.
    """

    def __init__(
        self,
        shape: Mapping[str, Any],
        *,
        dates: Collection[str],
        texts: Collection[str],
        utc: str = "Z",
        indent: int | None = None,
    ) -> None:
        used = [value.column for value in shape.values() if isinstance(value, Value)]
        self._used = used
        self._dates = [*dict.fromkeys(name for name in used if name in dates)]
        self._scalars = [*dict.fromkeys(n for n in used if n not in dates and n not in texts)]
        self._utc = utc
        self._is_ascii = indent is not None
        space = "" if indent is None else "\n" + " " * indent
        colon = ":" if indent is None else ": "
        inner = "," + (space and space + "  ")
        members = [f'"{key}"{colon}{_place(value)}' for key, value in shape.items()]
        self._template = f"{space}{{{inner[1:]}{inner.join(members)}{space}}}"

    def write(self, columns: Mapping[str, Column]) -> str:
        """Return the JSON of the rows, without the brackets of the list.

        Raises PydanticSerializationError for a lone surrogate.
        """
        texts: dict[str, Texts] = {**columns}
        texts |= self._date_texts(columns)
        values = [value for name in self._scalars for value in columns[name]]
        texts |= _split(self._scalars, _json_texts(values, self._is_ascii))
        rows = zip(*(texts[name] for name in self._used), strict=True)
        return ",".join([self._template % row for row in rows])

    def _date_texts(self, columns: Mapping[str, Column]) -> dict[str, Texts]:
        """Return the JSON of columns of dates; equal columns, which runs often have, share it."""
        distinct: list[Column] = []
        places = {}
        for name in self._dates:
            column = columns[name]
            place = next((n for n, each in enumerate(distinct) if each == column), len(distinct))
            if place == len(distinct):
                distinct.append(column)
            places[name] = place
        dates = [date for column in distinct for date in column]
        written = _split(range(len(distinct)), self._dates_as_json(dates))
        return {name: written[place] for name, place in places.items()}

    def _dates_as_json(self, dates: Sequence[datetime | None]) -> Texts:
        return to_json(dates)[1:-1].decode().replace("Z", self._utc).split(",") if dates else []


def _place(value: Any) -> str:
    return "%s" if isinstance(value, Value) else to_json(value).decode().replace("%", "%%")


def _json_texts(values: Column, is_ascii: bool) -> Texts:
    """Return the JSON of each value, which has no line break."""
    text = to_json(values, indent=1, ensure_ascii=is_ascii).decode()
    return text[3:-2].split(",\n ") if values else []


def _split(names: Sequence[Name], texts: Texts) -> dict[Name, Texts]:
    """Return the texts by the names of their columns, which have the same length."""
    size = len(texts) // len(names) if names else 0
    return {name: texts[n * size : (n + 1) * size] for n, name in enumerate(names)}
