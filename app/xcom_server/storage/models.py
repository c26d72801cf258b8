"""The vocabulary of the store: names, entries, filters and pages, all immutable."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

UNMAPPED = -1
"""The map index of a task instance that is not mapped."""

MAX_ID_LENGTH = 250
"""The longest id of a DAG, DAG run or task, in characters."""

MAX_KEY_LENGTH = 512
"""The longest key, in characters."""

MAX_MAP_INDEX = 2**31 - 1
"""The largest map index that can be stored."""

WILDCARD = "~"
"""What stands for any DAG, DAG run or task in a list; nothing can be stored under it."""


@dataclass(frozen=True, slots=True)
class XComKey:
    """The full name of one entry."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    key: str


class RunDates(NamedTuple):
    """The dates of a DAG run; `logical_date` is None for a run that belongs to no date."""

    logical_date: datetime | None
    run_after: datetime

    @property
    def run_date(self) -> datetime:
        """The date to tell the run by: its logical date, else when it could run."""
        return self.logical_date or self.run_after


@dataclass(frozen=True, slots=True)
class XComEntry(XComKey):
    """One stored entry: its name and what is stored under it.

    `timestamp`, and the `logical_date` (None for a run that belongs to no date) and `run_after`
    of its DAG run, carry the time zone UTC and microseconds. `value` is JSON text exactly as it
    was written. `version` is another number after every write.
    """

    timestamp: datetime
    logical_date: datetime | None
    run_after: datetime
    value: str
    version: int = field(compare=False)

    @property
    def run_date(self) -> datetime:
        """The date to tell the DAG run by."""
        return RunDates(self.logical_date, self.run_after).run_date


Field = Literal["dag_id", "run_id", "task_id", "map_index", "key", "timestamp", "logical_date",
                "run_after"]
"""What a list can be filtered and ordered by; the dates but `timestamp` are the DAG run's."""


class Comparison(NamedTuple):
    """A condition on one field.

    `like` compares in any ASCII case with a pattern in which `%` stands for any characters, `_`
    for one, and a backslash takes that meaning away.
    """

    field: Field
    operator: Literal["eq", "ge", "gt", "le", "lt", "like"]
    operand: str | int | datetime


Condition = tuple[tuple[Comparison, ...], ...]
"""Alternatives, each of several comparisons: met by an entry that meets all of at least one."""


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


class ListedEntry(NamedTuple):
    """An entry as a list shows it: all that an XComEntry has but its value and its version."""

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
        """The date to tell the DAG run by."""
        return self.logical_date or self.run_after


@dataclass(frozen=True, slots=True)
class Page:
    """Some of the entries that match a filter, and how many match in all."""

    entries: list[ListedEntry]
    total_entries: int
