"""What can go wrong, in the vocabulary of XComs.

Nothing here knows about HTTP.  Each API version decides how an error looks on the wire, because
v1 and v2 disagree.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


class XComError(Exception):
    """The base class of the store's errors."""


@dataclass(eq=False)
class NotFound(XComError):
    """Something that a request names is not stored."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


@dataclass(eq=False)
class EntryNotFound(NotFound):
    """No XCom entry has this name."""

    key: str


class DagNotFound(NotFound):
    """No DAG run of this DAG is registered."""


class RunNotFound(NotFound):
    """The DAG is known; this run of it is not registered."""


class TaskInstanceNotFound(NotFound):
    """The DAG run is known; this task instance of it is not registered."""


class TaskNotFound(TaskInstanceNotFound):
    """The DAG is known; no run of it has a task of this name."""


@dataclass(eq=False)
class AlreadyExists(XComError):
    """An entry with this name is already stored and was not changed."""

    key: str


@dataclass(eq=False)
class DateMismatch(XComError):
    """The date given for an entry is not the stored one."""

    field: Literal["timestamp", "run_date"]
    stored: datetime


@dataclass(eq=False)
class NameTooLong(XComError):
    """The names of an entry are together too long to be indexed; sizes are in bytes of UTF-8."""

    size: int
    limit: int

    def __str__(self) -> str:
        return (
            f"dag_id, dag_run_id, task_id and key are {self.size} bytes together, more than"
            f" {self.limit}"
        )


@dataclass(eq=False)
class ReservedKeys(XComError):
    """A value in a request has keys that are reserved for Airflow's serializer.

    `place` is the path to the first object that has any, such as `value.a[0]`, and `names` are
    its reserved keys in alphabetical order.
    """

    place: str
    names: list[str]

    def __str__(self) -> str:
        return (
            f"XCom {self.place} contains reserved serialization keys: {', '.join(self.names)}."
            " These keys are reserved for internal use."
        )


@dataclass(eq=False)
class PreconditionFailed(XComError):
    """An entry does not meet If-Match or If-None-Match; `stored` is its ETag, if it was read."""

    stored: int | None


@dataclass(eq=False)
class Unavailable(XComError):
    """The database is unavailable; the same request may succeed later.

    `reason` is a sentence for the client, without hosts, users and values. If `in_doubt`, it is
    unknown whether a change was stored.
    """

    reason: str
    in_doubt: bool = False


class SeedConflict(XComError):
    """A row to load contradicts stored data or another row; the message names the row."""


class OperatorError(Exception):
    """Something that an operator can fix; commands and the start print its text as one line."""


class DatabaseUnusable(OperatorError):
    """The database cannot be used; the message says why, without the password of its URL."""


class SchemaMismatch(OperatorError):
    """The database does not have the tables that this code needs; the message says what to run."""


class AccessError(Exception):
    """The base class of errors of authentication and authorization."""


class Unauthenticated(AccessError):
    """The caller is not authenticated: the credentials are missing or invalid."""


class TokenExpired(Unauthenticated):
    """The token was valid, but has expired."""


class InvalidToken(Unauthenticated):
    """The token was not issued by this server, or its user no longer exists."""


@dataclass(eq=False)
class TooManyAttempts(AccessError):
    """Too many wrong passwords were sent; try again after `seconds`."""

    seconds: int

    def __str__(self) -> str:
        return f"Too many wrong passwords. Try again in {self.seconds} s."


class Forbidden(AccessError):
    """The caller is authenticated, but not allowed to do this."""
