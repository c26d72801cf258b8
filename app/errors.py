"""What can go wrong, in the vocabulary of XComs.

    XComError
    ├── NotFound
    │   ├── EntryNotFound          no XCom entry has this name
    │   ├── DagNotFound            no DAG run of this DAG is registered
    │   ├── RunNotFound            the DAG is known, this run of it is not
    │   └── TaskInstanceNotFound   the run is known, this task instance of it is not
    ├── AlreadyExists              an entry with this name is stored, and stays as it was
    ├── DateMismatch               a date given for an entry is not the date that is stored
    └── NameTooLong                the names of an entry are together too long to be indexed

Nothing here knows about HTTP.  Each API version decides how an error looks on the wire, because
v1 and v2 disagree.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


class XComError(Exception):
    """What every error of the store is."""


@dataclass(eq=False)
class NotFound(XComError):
    """Something that a request names is not stored."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


class EntryNotFound(NotFound):
    """No XCom entry has this name."""


class DagNotFound(NotFound):
    """No DAG run of this DAG is registered."""


class RunNotFound(NotFound):
    """The DAG is known; this run of it is not registered."""


class TaskInstanceNotFound(NotFound):
    """The DAG run is known; this task instance of it is not registered."""


@dataclass(eq=False)
class AlreadyExists(XComError):
    """An entry with this name is stored, and stays as it was."""

    key: str


@dataclass(eq=False)
class DateMismatch(XComError):
    """A date given for an entry is not the date that is stored."""

    field: Literal["timestamp", "run_date"]
    stored: datetime


@dataclass(eq=False)
class NameTooLong(XComError):
    """The names of an entry are together too long to be indexed; sizes are in bytes of UTF-8."""

    size: int
    limit: int
