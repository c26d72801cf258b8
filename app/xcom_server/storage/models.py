"""What a store is asked for and returns: keys, entries, filters, pages and seed rows."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, Self

UNMAPPED = -1  # the map index of a task instance that is not mapped
MAX_ID_LENGTH = 250  # the longest id of a DAG, DAG run or task, in characters
MAX_KEY_LENGTH = 512  # the longest key, in characters
MAX_MAP_INDEX = 2**31 - 1  # the largest map index that can be stored
WILDCARD = "~"  # stands for any DAG, DAG run or task in a list; nothing can be stored under it


@dataclass(frozen=True, slots=True)
class XComKey:
    """What identifies one entry."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str


class RunDates(NamedTuple):
    """The dates of a DAG run; `logical_date` is None for a run that has none."""

    logical_date: datetime | None
    run_after: datetime

    @property
    def run_date(self) -> datetime:
        """The date that stands for the DAG run: its logical date, else when it could run."""
        return self.logical_date or self.run_after


class ListedEntry(NamedTuple):
    """An entry as a list shows it, without its value.

    Datetimes are in UTC, with their zone and microseconds.  `logical_date` and `run_after` are
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
        """The date that stands for the DAG run: its logical date, else when it could run."""
        return self.logical_date or self.run_after


@dataclass(frozen=True, slots=True)
class XComEntry(XComKey):
    """One stored entry.

    Datetimes are as in ListedEntry.  `value` is JSON text exactly as it was written.  `etag` is
    another number after every write.
    """

    timestamp: datetime
    logical_date: datetime | None
    run_after: datetime
    value: str
    etag: int = field(compare=False)

    @property
    def run_date(self) -> datetime:
        """The date that stands for the DAG run: its logical date, else when it could run."""
        return self.logical_date or self.run_after


Field = Literal[
    "dag_id", "run_id", "task_id", "map_index", "key", "timestamp", "logical_date", "run_after"
]
"""What a list can be filtered and ordered by; the last two are the DAG run's."""

Operator = Literal["eq", "gte", "gt", "lte", "lt", "like"]


class Comparison(NamedTuple):
    """A condition on one field.

    `like` matches a pattern without regard to ASCII case: `%` stands for any characters, `_` for
    one, and a backslash escapes them.
    """

    field: Field
    operator: Operator
    operand: str | int | datetime


Condition = tuple[tuple[Comparison, ...], ...]
"""Alternatives, each of several comparisons: an entry must meet all of at least one."""


class Order(NamedTuple):
    """A field to order a list by."""

    field: Field
    descending: bool = False


@dataclass(frozen=True, slots=True)
class XComFilter:
    """Which entries to list; None stands for any.

    `dag_ids` are the DAGs that may be shown at all; an entry must meet each of `conditions`.
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
        """Return a filter in which a name that is WILDCARD stands for any."""
        dag, run, task = (None if name == WILDCARD else name for name in (dag_id, run_id, task_id))
        return cls(dag, run, task, map_index, key, dag_ids, conditions)


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the entries that match a filter, and how many match in all."""

    entries: list[ListedEntry]
    total_entries: int


@dataclass(frozen=True)
class SeedEntry:
    """An entry to load; a date of None is decided by the store.

    `place` says where it comes from, for errors.  `value` is JSON text.
    """

    place: str
    key: XComKey
    value: str
    logical_date: datetime | None
    timestamp: datetime | None


@dataclass(frozen=True)
class SeedRun:
    """A DAG run to load or exported, with its task instances as (task_id, map_index)."""

    place: str
    dag_id: str
    run_id: str
    logical_date: datetime | None
    run_after: datetime
    task_instances: list[tuple[str, int]]


SeedRow = SeedEntry | SeedRun
