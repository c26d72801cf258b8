"""A backend: everything that differs between SQL databases, in one object."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from sqlalchemy import URL, Connection, Engine, Table, event, literal
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import (
    DBAPIError,
    DisconnectionError,
    InvalidRequestError,
    SQLAlchemyError,
    TimeoutError,
)

from xcom_server.storage.database import faults
from xcom_server.storage.database.faults import Fault
from xcom_server.storage.database.sqlalchemy_adapter import driver_errors, is_stale_connection
from xcom_server.storage.database.writer_lock import WriterLockTimeout
from xcom_server.storage.store import Observer

Insert = type[postgresql.Insert] | type[sqlite.Insert]
"""The class of an INSERT that supports ON CONFLICT."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of one process.  Time-outs are in seconds; a statement time-out of 0 disables it.

    `threads` is the number of requests that the process serves at a time, `prepared_statements` is
    false for a PostgreSQL pooler that does not support them, and `max_response_bytes` is the
    maximum length of the texts on a page of a list.
    """

    threads: int
    pool_size: int
    pool_timeout_seconds: float
    connect_timeout_seconds: float
    statement_timeout_seconds: float
    lock_timeout_seconds: float
    prepared_statements: bool
    max_response_bytes: int


class Backend(ABC):
    """One SQL database: how it connects, begins, locks and inserts, and what its errors mean.

    `begin` is the SQL that starts a writing transaction.  If `upgrades_itself`, the server upgrades
    the schema at start; otherwise the operator does, with `xcom-server db upgrade`.
    """

    driver: ClassVar[str]
    begin: ClassVar[str]
    upgrades_itself: ClassVar[bool]
    insert: ClassVar[Insert]
    is_in_memory = False  # true for a database that exists only in this process
    required_revision: str | None = None  # the schema that each new connection must find, if any

    def __init__(self, url: URL, limits: Limits, *, is_reading: bool = False) -> None:
        """Create the engine without connecting.

        If `is_reading`, no file is created or changed.  Raises ModuleNotFoundError if the driver is
        not installed.
        """
        self.is_reading = is_reading
        self.limits = limits
        self.engine = self._create_engine(url, limits)
        self.dialect = self.engine.dialect
        self.writing = self.engine.execution_options(writes=True)
        self.driver_error, self._operational_errors = driver_errors(self.engine)
        self.errors = (
            DBAPIError,
            self.driver_error,
            InvalidRequestError,
            TimeoutError,
            WriterLockTimeout,
            OSError,
        )
        self._generation = 0
        event.listen(self.engine, "connect", self._mark_generation)
        event.listen(self.engine, "checkout", self._refuse_old_generation)

    @abstractmethod
    def _create_engine(self, url: URL, limits: Limits) -> Engine:
        """Return the engine with the pool and the listeners that this database needs."""

    def check_files(self) -> None:
        """Raise OSError if a file beside the database cannot be used."""
        return

    def exposures(self) -> list[tuple[int, str]]:
        """Return which other users can use its files: levels of logging, and a sentence each."""
        return []

    @abstractmethod
    def create_missing(self) -> None:
        """Create the database if it is a file that does not exist.

        Connections never create it: a server whose file was removed must not store anything in a
        new one.
        """

    def insert_or_ignore(self, connection: Connection, table: Table, row: dict[str, Any]) -> bool:
        """Insert a row unless its primary key exists; return whether it was inserted.

        Waits for another transaction that is inserting the same key.
        """
        statement = self.insert(table).on_conflict_do_nothing().returning(literal(1))
        return connection.execute(statement.values(row)).first() is not None

    def upsert(
        self,
        connection: Connection,
        table: Table,
        rows: list[dict[str, Any]],
        columns: Collection[str] | None = None,
    ) -> None:
        """Insert rows; update the existing rows with the same primary keys.

        `columns` are the columns to update in an existing row, None for all.
        """
        statement = self.insert(table)
        changed = {
            column.key: statement.excluded[column.key]
            for column in table.columns
            if not column.primary_key and (columns is None or column.key in columns)
        }
        key = list(table.primary_key)
        connection.execute(
            statement.on_conflict_do_update(index_elements=key, set_=changed)
            if changed
            else statement.on_conflict_do_nothing(index_elements=key),
            rows,
        )

    @abstractmethod
    def read_datetimes(self, columns: Sequence[Sequence[Any]]) -> list[list[datetime | None]]:
        """Convert columns of datetimes from the driver's type to UTC."""

    @abstractmethod
    def _fault_of(self, error: BaseException | None) -> Fault | None:
        """Return the fault for a driver's error, None if it is not a known one."""

    def writer_lock(self, since: float | None = None) -> AbstractContextManager[None]:
        """Return the lock that a writer must hold; a database that queues writers needs none.

        `since` is when the caller began to wait, in seconds of time.monotonic().
        """
        return nullcontext()

    @abstractmethod
    def analyze(self, connection: Connection, tables: Iterable[str]) -> None:
        """Update the statistics of tables, so that plans fit the rows that a transaction stored."""

    @abstractmethod
    def transaction_lock(self, connection: Connection, name: str) -> None:
        """Take a named lock that is released when the transaction ends."""

    @abstractmethod
    def lock_tables(self, connection: Connection, tables: Iterable[str]) -> None:
        """Let no other transaction write to tables until this one ends; all can read them."""

    @abstractmethod
    def lift_time_limit(self, connection: Connection) -> None:
        """Let the statements of a transaction take any time, as an upgrade of the schema may."""

    def classify(self, error: Exception, *, is_lost: bool = False) -> Fault | None:
        """Return the fault for an error of SQLAlchemy or the driver.

        `is_lost` means that the error ended the connection.  None means that the database is not at
        fault.
        """
        match error:
            case WriterLockTimeout():
                return faults.LOCKED
            case TimeoutError():
                return faults.BUSY
            case InvalidRequestError():
                return faults.LOST if is_stale_connection(error) else None
        original = error.orig if isinstance(error, DBAPIError) else error
        if fault := self._fault_of(original):
            return fault
        if is_lost or getattr(error, "connection_invalidated", False):
            return faults.LOST
        is_operational = isinstance(original, (*self._operational_errors, OSError))
        return faults.UNREACHABLE if is_operational else None

    def describe(self, error: SQLAlchemyError) -> str:
        """Return an error in one line, for operators: it may contain a host, a user or a path."""
        return str(error).splitlines()[0]

    def discard_connections(self) -> None:
        """Discard all existing connections: if one was lost, the others probably were too."""
        self._generation += 1

    def observe(self, observer: Observer) -> None:
        """Report to an observer when a connection is taken from or returned to the pool."""

        def taken(connection: Any, record: Any, proxy: Any) -> None:
            record.record_info["is in use"] = True
            observer.connection_taken()

        def returned(connection: Any, record: Any) -> None:
            if record.record_info.pop("is in use", False):  # false if connecting failed
                observer.connection_returned()

        event.listen(self.engine, "checkout", taken)
        event.listen(self.engine, "checkin", returned)

    def close(self) -> None:
        """Close all connections; the backend can still be used afterwards."""
        self.engine.dispose()

    def _mark_generation(self, connection: Any, record: Any) -> None:
        record.info["generation"] = self._generation

    def _refuse_old_generation(self, connection: Any, record: Any, proxy: Any) -> None:
        if record.info["generation"] != self._generation:
            raise DisconnectionError("the connection is older than one that was lost")
