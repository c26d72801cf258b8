"""The interface of a store of XCom entries.

Several processes may share a store.  Each change is atomic, and durable once the method returns.
Every method except `close` raises errors.Unavailable if the database is unavailable; then nothing
was changed unless the error is `in_doubt`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from xcom_server.storage.dags import DagStore, SeedDag
from xcom_server.storage.models import ListedEntry, SeedEntry, XComEntry, XComKey
from xcom_server.storage.queries import Filter, Order, Page
from xcom_server.storage.runs import RunStore, SeedRun
from xcom_server.storage.snapshots import SnapshotStore
from xcom_server.storage.task_instances import TaskInstanceStore

SeedRow = SeedDag | SeedRun | SeedEntry


class XComStore(Protocol):
    """A store of XCom entries, and of the DAGs, runs and task instances that they belong to."""

    schema_version: str
    dags: DagStore
    runs: RunStore
    task_instances: TaskInstanceStore

    @property
    def snapshots(self) -> SnapshotStore:
        """Return the snapshots of this store."""

    def create(
        self,
        key: XComKey,
        value: str,
        *,
        timestamp: datetime | None = None,
        run_date: datetime | None = None,
    ) -> XComEntry:
        """Store a new entry and return it; `value` is JSON text.

        An unknown DAG run or task instance is registered.  `timestamp` defaults to now.

        Raises AlreadyExists if the key exists (its value is kept), DateMismatch if `run_date` is
        not the DAG run's, NameTooLong, ReservedKeys, and a NotFound if parents are required and
        one is not registered, or cannot be.
        """

    def get(self, key: XComKey) -> XComEntry:
        """Return one entry.  Raises EntryNotFound."""

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[ListedEntry]:
        """Return a page of the entries that match, without values, and the number of all of them.

        The page and the total are from one snapshot.  Entries are ordered by the fields in `order`,
        then by DAG, task, run, map index and key; texts are compared byte by byte.
        """

    def replace_value(
        self,
        key: XComKey,
        value: str,
        *,
        timestamp: datetime | None = None,
        run_date: datetime | None = None,
        new_timestamp: datetime | None = None,
        if_match: Collection[int] | None = None,
    ) -> XComEntry:
        """Replace the value of an entry, and optionally its timestamp; return the entry.

        `value` is JSON text.  Raises EntryNotFound, ReservedKeys, DateMismatch if `timestamp` or
        `run_date` is given and not the stored one, and PreconditionFailed if the ETag is not one of
        `if_match`.
        """

    def delete(self, key: XComKey, *, if_match: Collection[int] | None = None) -> None:
        """Delete an entry; its DAG run and task instance are kept.

        Raises EntryNotFound, and PreconditionFailed if its ETag is not one of `if_match`.
        """

    def load(
        self,
        rows: Sequence[SeedRow],
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Store all rows or none; an existing entry is replaced.

        Calls `advance` with the number of rows processed since the last call.  Raises SeedConflict
        for a row that conflicts with stored data or with another row.
        """

    def export_entries(self) -> Iterator[XComEntry]:
        """Yield every entry, ordered like a list."""

    def export_dags(self) -> Iterator[SeedDag]:
        """Yield every DAG, ordered by id."""

    def export_runs(self) -> Iterator[SeedRun]:
        """Yield every DAG run with its task instances, in the order of insertion.

        The fields of a row are those that loading it would not set anyway.
        """

    def clear(self) -> None:
        """Remove everything, in one transaction."""

    def check(self) -> None:
        """Raise Unavailable unless the store can be read."""

    def prepare(self, *, create: bool = True) -> None:
        """Make sure that the store has the current schema; keep no connection open.

        A file or tables that are missing are created only if `create`.  Raises SchemaMismatch if
        the operator has to upgrade the schema.
        """

    def close(self) -> None:
        """Close all connections."""


class Observer:
    """Callbacks from a store; the default implementations do nothing."""

    def operation(self, kind: Literal["read", "write"], seconds: float) -> None:
        """Handle the end of a statement or transaction, which may have failed."""

    def connection_taken(self) -> None:
        """Handle that a request took a connection from the pool."""

    def connection_returned(self) -> None:
        """Handle that a request returned a connection to the pool."""
