"""SQLite: a file in WAL mode, synced at every commit, or a database in memory."""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from datetime import datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError

from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.database import faults, sqlite_file, writer_lock
from xcom_server.storage.database.backend import Backend, Limits
from xcom_server.storage.database.faults import Fault
from xcom_server.storage.database.sqlalchemy_adapter import in_utc
from xcom_server.storage.database.time_limit import LimitedConnection
from xcom_server.storage.database.writer_lock import WriterLock, WriterLockTimeout

_DAMAGED = Fault("The database file is damaged.")
_FAULTS = {
    "SQLITE_BUSY": faults.LOCKED,
    "SQLITE_LOCKED": faults.LOCKED,
    "SQLITE_INTERRUPT": faults.TOO_SLOW,
    "SQLITE_FULL": faults.FULL,
    "SQLITE_READONLY": faults.READ_ONLY,
    "SQLITE_CANTOPEN": faults.CANNOT_OPEN,
    "SQLITE_IOERR": Fault("The database has a disk error, or its disk is full."),
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
}
"""SQLite's primary result codes."""


class _AnotherSchema(sqlite3.OperationalError):
    """The file has tables of another schema."""


class SqliteBackend(Backend):
    """SQLite, with a fair lock between writers, which SQLite itself lacks."""

    driver = "pysqlite"
    # BEGIN IMMEDIATE waits for other writers.  A deferred transaction that starts to write after
    # another one has committed fails at once, whatever the busy time-out.
    begin = "BEGIN IMMEDIATE"
    insert = sqlite.Insert
    upgrades_itself = True

    def _create_engine(self, url: URL, limits: Limits) -> Engine:
        self._lock_timeout = limits.lock_timeout_seconds
        self._time_limit = limits.statement_timeout_seconds
        self._path = sqlite_file.path_of(url)
        self._state_read: sqlite_file.State = ()
        self.is_in_memory = not self._path
        # A database in memory exists in one connection, which threads use one after another.
        engine = create_engine(
            url,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "factory": LimitedConnection},
            poolclass=QueuePool,
            pool_size=limits.pool_size if self._path else 1,
            max_overflow=0,
            pool_timeout=limits.pool_timeout_seconds,
            pool_reset_on_return=None,
        )
        if self._path:
            event.listen(engine, "do_connect", self._open)
            event.listen(engine, "checkout", _refuse_another_file)
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "reset", self._reset)
        return engine

    def writer_lock(self, since: float | None = None) -> AbstractContextManager[None]:
        """Return the lock of the database file; a database in memory needs none."""
        if not self._path:
            return nullcontext()
        return WriterLock(self._path, self._lock_timeout).acquire(since)

    def create_missing(self) -> None:
        """Create the file with no tables in it, unless it exists."""
        if self._path and not self._is_read_only():
            sqlite_file.create_missing(self._path)

    def check_files(self) -> None:
        """Create the lock files; raise OSError if another user could hold the lock."""
        if self._path and not self._is_read_only():
            writer_lock.check(self._path)

    def exposures(self) -> list[tuple[int, str]]:
        """Return which other users can use the file."""
        return sqlite_file.exposures(self._path) if self._path else []

    def close(self) -> None:
        """Close all connections, one process after another.

        Only the last connection of all processes removes the write-ahead log.  If two processes
        close theirs at the same time, each finds the other's open, and the log stays.

        Raises DatabaseUnusable if the file was read without locks and has changed meanwhile.
        """
        with ExitStack() as stack:
            if self.engine.pool.checkedin() and not self._is_read_only():  # type: ignore[attr-defined]
                with suppress(WriterLockTimeout, OSError):
                    stack.enter_context(self.writer_lock())
            super().close()
        if self._state_read and self._state_read != sqlite_file.state(self._path):
            raise DatabaseUnusable(f"{self._path} was changed while it was read. Try again.")

    def analyze(self, connection: Connection, tables: Iterable[str]) -> None:
        """Do nothing: SQLite chooses a primary key without statistics."""

    def transaction_lock(self, connection: Connection, name: str) -> None:
        """Do nothing: in SQLite only one transaction at a time can write."""

    def lock_tables(self, connection: Connection, tables: Iterable[str]) -> None:
        """Do nothing: in SQLite only one transaction at a time can write."""

    def read_datetimes(
        self, columns: Sequence[Sequence[str | None]]
    ) -> list[list[datetime | None]]:
        """Convert columns of datetimes, which are texts, to UTC.

        Entries of one page share DAG runs, and most dates of a run are equal, so each distinct text
        is parsed once, and equal columns are converted once.
        """
        found: dict[int, list[datetime | None]] = {}
        distinct: list[Sequence[str | None]] = []
        places = [_place_of(column, distinct) for column in columns]
        parsed = {text: text and _parse(text) for text in set().union(*distinct)}
        for place, column in enumerate(distinct):
            found[place] = [parsed[text] for text in column]  # type: ignore[misc]
        return [found[place] for place in places]

    def describe(self, error: SQLAlchemyError) -> str:
        """Return an error in one line, with the path of a file that cannot be opened."""
        if self.classify(error) is not faults.CANNOT_OPEN:
            return super().describe(error)
        if not os.path.isdir(os.path.dirname(self._path)):
            return f"{self._path}: its folder does not exist"
        is_there = os.path.exists(self._path)
        return f"{self._path}: the file {'cannot be opened' if is_there else 'does not exist'}"

    def _fault_of(self, error: BaseException | None) -> Fault | None:
        if isinstance(error, OSError):  # from a lock file
            return faults.CANNOT_OPEN
        if isinstance(error, _AnotherSchema):
            return faults.ANOTHER_SCHEMA
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        text = str(error)
        has_no_tables = "no such table" in text or "no such column" in text
        return _FAULTS.get(name) or (faults.NO_TABLES if has_no_tables else None)

    def lift_time_limit(self, connection: Connection) -> None:
        """Let the statements of a connection take any time until it is returned to the pool."""
        driver: Any = connection.connection.driver_connection
        driver.time_limit = 0.0

    def _configure(self, connection: LimitedConnection, record: Any) -> None:
        connection.time_limit = self._time_limit
        connection.isolation_level = None  # the driver must not begin transactions itself
        # A writer that waits in SQLite holds this server's lock already, perhaps after a wait.  So
        # it waits for another program, and only for a part of the time-out.
        milliseconds = f"{self._lock_timeout / 3 * 1000:.0f}"
        for pragma in (f"busy_timeout = {milliseconds}", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        if self._path:
            self._require_schema(connection)
            self._enable_wal(connection)
            record.info["file"] = (self._path, sqlite_file.identity(self._path))

    def _require_schema(self, connection: sqlite3.Connection) -> None:
        """Refuse a file that was put in the place of the server's, and has another schema."""
        if self.required_revision is None:
            return
        found = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if found != (self.required_revision,):
            raise _AnotherSchema(f"the schema is {found and found[0]}")

    def _enable_wal(self, connection: sqlite3.Connection) -> None:
        """Switch a new file to WAL mode, which only one connection at a time can do."""
        if self._is_read_only():
            return
        if connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                with WriterLock(self._path, self._lock_timeout / 3).acquire():
                    connection.execute("PRAGMA journal_mode = WAL")
            except WriterLockTimeout as error:
                raise sqlite3.OperationalError("database is locked") from error

    def _open(self, dialect: Any, record: Any, arguments: list[Any], options: Any) -> None:
        """Open an existing file, and never create it: that is only done on purpose."""
        address = arguments[0]
        if self.is_reading:
            arguments[0] = sqlite_file.unchanged(self._path, address)
            if "immutable=1" in arguments[0]:
                self._state_read = self._state_read or sqlite_file.state(self._path)
        else:
            arguments[0] = sqlite_file.existing(self._path, address)
        options["uri"] = True

    def _is_read_only(self) -> bool:
        return self.is_reading or self.engine.url.query.get("mode") == "ro"

    def _reset(self, connection: LimitedConnection, record: Any, state: Any) -> None:
        connection.time_limit = self._time_limit
        if connection.in_transaction:
            connection.rollback()

    def _begin(self, connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql(self.begin if writes else "BEGIN")


def _place_of(column: Sequence[str | None], distinct: list[Sequence[str | None]]) -> int:
    """Return the place of a column among distinct ones, to which it is added if it is new."""
    for place, each in enumerate(distinct):
        if each == column:
            return place
    distinct.append(column)
    return len(distinct) - 1


def _parse(text: str) -> datetime:
    if len(text) == len("2024-01-01 00:00:00.000000"):  # as SQLAlchemy writes it
        return datetime.fromisoformat(text + "+00:00")  # twice as fast as `replace(tzinfo=…)`
    return in_utc(datetime.fromisoformat(text))


def _refuse_another_file(connection: Any, record: Any, proxy: Any) -> None:
    """Discard a connection whose file was removed or replaced, because its writes would be lost."""
    path, identity = record.info["file"]
    if sqlite_file.identity(path) != identity:
        raise DisconnectionError(f"{path} was removed or replaced")
