"""The interface of a store of XCom entries, and what every store promises.

Several processes may share a store.  Each change is stored whole or not at all, and durably once
the method returns.  Every method but `close` raises errors.Unavailable if the store cannot do it
now; nothing was changed then unless the error is `in_doubt`.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

from xcom_server.storage.models import Order, Page, SeedRow, SeedRun, XComEntry, XComFilter, XComKey


class XComStore(Protocol):
    """A store of XCom entries, their DAG runs and their task instances."""

    schema_version: str

    def create(
        self,
        key: XComKey,
        value: str,
        *,
        timestamp: datetime | None = None,
        run_date: datetime | None = None,
    ) -> XComEntry:
        """Store a new entry whose value is the JSON text `value`.

        Registers an unknown DAG run or task instance, or raises NotFound for it if parents are
        required.  Raises DateMismatch if `run_date` is not the run's, AlreadyExists, keeping the
        old value, if the key is taken, NameTooLong and ReservedKeys.
        """

    def get(self, key: XComKey) -> XComEntry:
        """Return one entry.  Raises EntryNotFound."""

    def list(
        self, filter_: XComFilter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page:
        """Return a page of the entries that match, without values, and how many match in all.

        The total and the page are of one point in time.  The order is by DAG, task, run, map
        index and key, each byte by byte, after the fields that `order` names.
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
        """Give an entry a new value, the JSON text `value`, and optionally a new timestamp.

        A `timestamp` or `run_date` must be the stored one, else DateMismatch is raised; and the
        ETag one of `if_match`, else PreconditionFailed.  Raises EntryNotFound and ReservedKeys.
        """

    def delete(self, key: XComKey, *, if_match: Collection[int] | None = None) -> None:
        """Remove an entry; its DAG run and task instance stay.

        Raises EntryNotFound, and PreconditionFailed if its ETag is not one of `if_match`.
        """

    def load(
        self,
        rows: Sequence[SeedRow],
        advance: Callable[[int], None] = lambda count: None,
    ) -> None:
        """Store all rows or none; an entry that is already stored is replaced.

        Calls `advance` with how many rows were processed since the last call.  Raises
        SeedConflict for a row that contradicts what is stored or another row.
        """

    def export_entries(self) -> Iterator[XComEntry]:
        """Yield every entry, in the order of lists."""

    def export_runs(self) -> Iterator[SeedRun]:
        """Yield every DAG run with its task instances."""

    def check(self) -> None:
        """Raise Unavailable unless the store can be read."""

    def prepare(self) -> None:
        """Make sure that the store has the schema that this code needs; keeps no connection.

        Raises SchemaMismatch if its operator has to upgrade it.
        """

    def close(self) -> None:
        """Close all connections."""


class Observer:
    """Receives what a store reports; this one ignores it."""

    def operation(self, kind: Literal["read", "write"], seconds: float) -> None:
        """A statement or transaction ended, well or not, after so many seconds."""

    def connection_taken(self) -> None:
        """A request took a connection of the pool."""

    def connection_returned(self) -> None:
        """A request returned a connection to the pool."""
