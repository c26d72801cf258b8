"""What can go wrong, in the vocabulary of XComs.

    XComError
    ├── NotFound
    │   ├── EntryNotFound          no XCom entry has this name
    │   ├── DagNotFound            no DAG run of this DAG is registered
    │   ├── RunNotFound            the DAG is known, this run of it is not
    │   └── TaskInstanceNotFound   the run is known, this task instance of it is not
    │       └── TaskNotFound       the DAG is known, no run of it has this task
    ├── AlreadyExists              an entry with this name is stored, and stays as it was
    ├── DateMismatch               a date given for an entry is not the date that is stored
    ├── NameTooLong                the names of an entry are together too long to be indexed
    ├── ReservedKeys               a value holds names that Airflow's serializer writes
    ├── PreconditionFailed         an entry is not the one that If-Match or If-None-Match asks for
    ├── SeedConflict               a row to load contradicts what is stored or another row
    └── Unavailable                the database is unavailable

    DatabaseUnusable               a URL names no database that can be used
    SchemaMismatch                 the database has other tables than this code needs

    AccessError
    ├── Unauthenticated            who asks is not known
    │   ├── TokenExpired           a token was good once
    │   └── InvalidToken           a token is none of ours
    ├── TooManyAttempts            wrong passwords came too often
    └── Forbidden                  who asks is known, and may not

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

    def __str__(self) -> str:
        return (f"dag_id, dag_run_id, task_id and key are {self.size} bytes together, more than"
                f" {self.limit}")


@dataclass(eq=False)
class ReservedKeys(XComError):
    """A value holds names that Airflow's serializer writes, which a request may not bring.

    `place` is the first object that does, `value.a[0]` say, and `names` are its reserved names
    in alphabetical order.
    """

    place: str
    names: list[str]

    def __str__(self) -> str:
        return (f"XCom {self.place} contains reserved serialization keys: {', '.join(self.names)}."
                " These keys are reserved for internal use.")


@dataclass(eq=False)
class PreconditionFailed(XComError):
    """An entry is not the one that If-Match or If-None-Match asks for.

    `stored` is its ETag, if that was read.
    """

    stored: int | None


@dataclass(eq=False)
class Unavailable(XComError):
    """The database cannot do it now; the same request may succeed later.

    `reason` is a sentence for whoever asked: it names no host, no user and no value. Where
    `in_doubt`, a change was sent and nobody heard whether it was stored.
    """

    reason: str
    in_doubt: bool = False


class SeedConflict(XComError):
    """A row to load contradicts what is stored or another row; the text names the row."""


class DatabaseUnusable(RuntimeError):
    """A URL names no database that can be used; the text says why, without its password."""


class SchemaMismatch(RuntimeError):
    """The database has other tables than this code needs; the text says what to run."""


class AccessError(Exception):
    """What every refusal to let somebody in is."""


class Unauthenticated(AccessError):
    """Who asks is not known: no credentials, or none that are good here."""


class TokenExpired(Unauthenticated):
    """A token was good once."""


class InvalidToken(Unauthenticated):
    """A token is not one that this server made, or not for a user that there is."""


@dataclass(eq=False)
class TooManyAttempts(AccessError):
    """Wrong passwords came too often; `seconds` says how long to wait."""

    seconds: int

    def __str__(self) -> str:
        return f"Too many wrong passwords. Try again in {self.seconds} s."


class Forbidden(AccessError):
    """Who asks is known, and may not do this."""
