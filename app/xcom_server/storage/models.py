"""The arguments and results of a store: keys, entries, filters, pages and seed rows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Self

UNMAPPED = -1  # the map index of a task instance that is not mapped
MAX_ID_LENGTH = 250  # of a DAG, DAG run or task, in characters
MAX_KEY_LENGTH = 512  # in characters
MAX_MAP_INDEX = 2**31 - 1  # the largest map index that can be stored
WILDCARD = "~"  # in a list, any DAG, DAG run or task; it is not a valid id of one


@dataclass(frozen=True, slots=True)
class XComKey:
    """The identity of an entry."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str


class RunDates(NamedTuple):
    """The dates of a DAG run, in UTC; `logical_date` is None for a run without one."""

    logical_date: datetime | None
    run_after: datetime

    @property
    def run_date(self) -> datetime:
        """The logical date of the DAG run, or `run_after` if it has none."""
        return self.logical_date or self.run_after


class ListedEntry(NamedTuple):
    """An entry in a list, without its value.

    Datetimes are in UTC, with time zone and microseconds.  `logical_date` and `run_after` are
    those of the DAG run.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str
    timestamp: datetime
    logical_date: datetime | None
    run_after: datetime

    @property
    def run_date(self) -> datetime:
        """The logical date of the DAG run, or `run_after` if it has none."""
        return self.logical_date or self.run_after


@dataclass(frozen=True, slots=True)
class XComEntry(XComKey):
    """One stored entry.

    Datetimes are as in ListedEntry.  `value` is the JSON text exactly as it was written.  `etag`
    is a number that changes with every write.
    """

    timestamp: datetime
    logical_date: datetime | None
    run_after: datetime
    value: str
    etag: int = field(compare=False)

    @property
    def run_date(self) -> datetime:
        """The logical date of the DAG run, or `run_after` if it has none."""
        return self.logical_date or self.run_after


Field = Literal[
    "dag_id", "run_id", "task_id", "map_index", "key", "timestamp", "logical_date", "run_after"
]
"""The fields by which a list can be filtered and ordered; the last two are of the DAG run."""

Operator = Literal["eq", "gte", "gt", "lte", "lt", "like"]


class Comparison(NamedTuple):
    """A comparison of one field with an operand.

    `like` matches a pattern, ignoring ASCII case: `%` matches any characters, `_` matches one, and
    a backslash escapes them.
    """

    field: Field
    operator: Operator
    operand: str | int | datetime


Condition = tuple[tuple[Comparison, ...], ...]
"""Alternatives, each a tuple of comparisons: an entry must satisfy all of at least one."""


class Order(NamedTuple):
    """A sort field and its direction."""

    field: Field
    descending: bool = False


@dataclass(frozen=True, slots=True)
class XComFilter:
    """The entries to list; None matches any.

    `dag_ids` are the DAGs that the user can access, None for all; an entry must satisfy all
    `conditions`.
    """

    dag_id: str | None = None
    run_id: str | None = None
    task_id: str | None = None
    map_index: int | None = None
    key: str | None = None
    dag_ids: frozenset[str] | None = None
    conditions: tuple[Condition, ...] = ()

    @classmethod
    def of(
        cls,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        map_index: int | None = None,
        key: str | None = None,
        dag_ids: frozenset[str] | None = None,
        conditions: tuple[Condition, ...] = (),
    ) -> Self:
        """Return a filter in which an id that equals WILDCARD matches any id."""
        dag, run, task = (None if name == WILDCARD else name for name in (dag_id, run_id, task_id))
        return cls(dag, run, task, map_index, key, dag_ids, conditions)


@dataclass(frozen=True, slots=True)
class Page:
    """One page of the entries that match a filter, and the number of all that match."""

    entries: list[ListedEntry]
    total_entries: int


@dataclass(frozen=True)
class SeedEntry:
    """An entry to load; the store chooses a date that is None.

    `place` is its position in the seed files, for error messages.  `value` is JSON text.
    """

    place: str
    key: XComKey
    value: str
    logical_date: datetime | None
    timestamp: datetime | None


@dataclass(frozen=True)
class SeedRun:
    """A DAG run to load or an exported one, with its task instances as (task_id, map_index)."""

    place: str
    dag_id: str
    run_id: str
    logical_date: datetime | None
    run_after: datetime
    task_instances: list[tuple[str, int]]


SeedRow = SeedEntry | SeedRun
