"""The arguments and results of a list: filters, sort orders and pages."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, NamedTuple, Self, TypeVar

MAX_ROWS = 10_000  # of a page whose size is not limited otherwise
MAX_COMPARISONS = 400  # in one filter; SQLite rejects about 500, which nest 1,000 levels deep
MAX_PATTERN = 10_000  # characters of a `like`; SQLite rejects one of 50,000 bytes
MAX_PATTERN_OF_LONG_TEXT = 500  # of `conf`, since SQLite cannot interrupt a single comparison
NO_LIMIT = 2**31 - 1  # as the limit of a list: more rows than a database has
WILDCARD = "~"  # in a list, any DAG, DAG run or task; it is not a valid id of one

Row = TypeVar("Row")

Operator = Literal["eq", "gte", "gt", "lte", "lt", "like", "contains", "in", "is_null"]

Operand = str | int | float | bool | datetime | tuple[str | int, ...] | None


class Comparison(NamedTuple):
    """A comparison of one field with an operand.

    `like` matches a pattern, ignoring ASCII case: `%` matches any characters, `_` matches one, and
    a backslash escapes them. `contains` finds a text, with its case. `in` takes a tuple, and
    `is_null` takes no operand. A field without a value matches only `is_null`.
    """

    field: str
    operator: Operator
    operand: Operand = None


Condition = tuple[tuple[Comparison, ...], ...]
"""Alternatives, each a tuple of comparisons: a row must satisfy all of at least one."""


class Order(NamedTuple):
    """A sort field and its direction; rows without a value are first when ascending."""

    field: str
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Filter:
    """The rows to list: `equal` maps fields to values, and a row must satisfy all `conditions`.

    `dag_ids` are the DAGs that the user can access, None for all.
    """

    equal: Mapping[str, Any] = field(default_factory=dict)
    dag_ids: frozenset[str] | None = None
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def of(
        cls,
        dag_id: str | None = None,
        run_id: str | None = None,
        task_id: str | None = None,
        *,
        dag_ids: frozenset[str] | None = None,
        conditions: tuple[Condition, ...] = (),
        **equal: Any,
    ) -> Self:
        """Return a filter; a value that is None, and an id that is WILDCARD, match any."""
        ids = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id}
        given = {name: value for name, value in ids.items() if value not in (None, WILDCARD)}
        given |= {name: value for name, value in equal.items() if value is not None}
        return cls(given, dag_ids, conditions)


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """One page of the rows that match a filter, and the number of all that match."""

    entries: list[Row]
    total_entries: int
