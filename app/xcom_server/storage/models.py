"""XCom entries: their keys, their fields and the rows of seed files."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

UNMAPPED = -1  # the map index of a task instance that is not mapped
MAX_ID_LENGTH = 250  # of a DAG, DAG run or task, in characters
MAX_KEY_LENGTH = 512  # in characters
MAX_MAP_INDEX = 2**31 - 1  # the largest map index that can be stored
UNCHANGED: Any = object()  # as an argument: the field keeps its value


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
