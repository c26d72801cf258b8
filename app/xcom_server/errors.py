"""The errors of the store, of authentication and of the configuration.

They are independent of HTTP: each API version maps them to its own responses, because v1 and v2
differ.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


class XComError(Exception):
    """The base class of the errors of the store."""


class FilterTooLong(XComError):
    """A filter has more comparisons, or a longer pattern, than databases accept."""

    def __str__(self) -> str:
        return "The filters have too many alternatives, or a pattern that is too long"


@dataclass(eq=False)
class NotFound(XComError):
    """A DAG, a DAG run, a task instance or an entry is not stored."""

    dag_id: str
    run_id: str = ""
    task_id: str = ""
    map_index: int = -1


@dataclass(eq=False)
class EntryNotFound(NotFound):
    """The entry is not stored."""

    key: str = ""


class DagNotFound(NotFound):
    """The DAG is not registered."""


class RunNotFound(NotFound):
    """The DAG run is not registered, but the DAG is."""


class TaskInstanceNotFound(NotFound):
    """The task instance is not registered, but its DAG run is."""


class TaskNotFound(TaskInstanceNotFound):
    """The DAG has no such task, neither in its definition nor in a run, but it is registered."""


@dataclass(eq=False)
class RunExists(XComError):
    """A DAG run with the same id or the same logical date is stored, and was not changed.

    `by_date` is true for a run with the same date, unless another run has the same id.
    """

    dag_id: str
    run_id: str
    by_date: bool


@dataclass(eq=False)
class RunIsRunning(XComError):
    """A DAG run cannot be deleted because it is running."""

    dag_id: str
    run_id: str


@dataclass(eq=False)
class TaskIsRunning(XComError):
    """A DAG cannot be deleted because one of its task instances is running."""

    dag_id: str


@dataclass(eq=False)
class AlreadyExists(XComError):
    """An entry with the same key is already stored, and was not changed."""

    key: str


@dataclass(eq=False)
class DateMismatch(XComError):
    """The date in a request differs from the stored one."""

    field: Literal["timestamp", "run_date"]
    stored: datetime


@dataclass(eq=False)
class NameTooLong(XComError):
    """The ids and the key of an entry are too long to be indexed; sizes are in bytes of UTF-8."""

    size: int
    limit: int

    def __str__(self) -> str:
        return (
            f"dag_id, dag_run_id, task_id and key are {self.size} bytes together; the maximum is"
            f" {self.limit}"
        )


@dataclass(eq=False)
class ReservedKeys(XComError):
    """A value in a request has keys that are reserved for Airflow's serializer.

    `place` is the path of the first object that has any, such as `value.a[0]`, and `names` are
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
    """If-Match or If-None-Match failed; `stored` is the entry's ETag, None if it was not read."""

    stored: int | None


@dataclass(eq=False)
class Unavailable(XComError):
    """The database is unavailable; the same request may succeed later.

    `reason` is a sentence for the client that contains no host, user or value. If `in_doubt`, it
    is unknown whether a change was stored.
    """

    reason: str
    in_doubt: bool = False


@dataclass(eq=False)
class ResponseTooLarge(XComError):
    """A response would be larger than `limit` bytes.

    `is_refused` is true if the server found that before it changed anything.
    """

    limit: int
    is_refused: bool = False

    def __str__(self) -> str:
        return f"The response would be larger than {self.limit} bytes (XCOM_MAX_RESPONSE_BYTES)."


class SeedConflict(XComError):
    """A seed row conflicts with stored data or with another row; the message names the row."""


@dataclass(eq=False)
class SnapshotNotFound(XComError):
    """There is no snapshot with this name."""

    name: str

    def __str__(self) -> str:
        return f"There is no snapshot {self.name!r}."


@dataclass(eq=False)
class SnapshotOutdated(XComError):
    """A snapshot was saved with another revision of the schema, and cannot be restored."""

    name: str
    revision: str
    needed: str

    def __str__(self) -> str:
        return (
            f"The snapshot {self.name!r} has schema {self.revision}, but the database is at"
            f" {self.needed}. Delete it, and save it again."
        )


@dataclass(eq=False)
class TooManySnapshots(XComError):
    """There are `limit` snapshots, and no more can be saved."""

    limit: int

    def __str__(self) -> str:
        return f"There are {self.limit} snapshots, which is the maximum. Delete one first."


class OperatorError(Exception):
    """An error that an operator can fix; commands and the server print its message as one line."""


class DatabaseUnusable(OperatorError):
    """The database cannot be used; the message contains the reason, but not the password."""


class SchemaMismatch(OperatorError):
    """The schema is not the one that this code needs; the message names the command to run."""


class Injected(Exception):
    """An error that a request gets on purpose; the server works as it should."""


class AccessError(Exception):
    """The base class of errors of authentication and authorization."""


class Unauthenticated(AccessError):
    """The client is not authenticated: the credentials are missing or invalid."""


class TokenExpired(Unauthenticated):
    """The token was valid and has expired."""


class InvalidToken(Unauthenticated):
    """The token was not issued by this server, or its user no longer exists."""


@dataclass(eq=False)
class TooManyAttempts(AccessError):
    """Too many wrong passwords, or too many logins at a time; retry after `seconds`."""

    seconds: int

    def __str__(self) -> str:
        return f"Too many login attempts. Try again in {self.seconds} s."


class Forbidden(AccessError):
    """The client is authenticated, but lacks a permission."""
