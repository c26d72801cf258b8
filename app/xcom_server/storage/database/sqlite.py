"""SQLite: a file in WAL mode, synced at every commit, or a database in memory."""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext, suppress
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DisconnectionError, SQLAlchemyError

from xcom_server.storage.database import faults
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
        self._path = _path_of(url)
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
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "reset", self._reset)
        if self._path:
            event.listen(engine, "checkout", _refuse_another_file)
        return engine

    def writer_lock(self, since: float | None = None) -> AbstractContextManager[None]:
        """Return the lock of the database file; a database in memory needs none."""
        if not self._path:
            return nullcontext()
        return WriterLock(self._path, self._lock_timeout).acquire(since)

    def close(self) -> None:
        """Close all connections, one process after another.

        Only the last connection of all processes removes the write-ahead log.  If two processes
        close theirs at the same time, each finds the other's open, and the log stays.
        """
        with ExitStack() as stack:
            if self.engine.pool.checkedin():  # type: ignore[attr-defined]
                with suppress(WriterLockTimeout, OSError):
                    stack.enter_context(self.writer_lock())
            super().close()

    def analyze(self, connection: Connection, tables: Iterable[str]) -> None:
        """Do nothing: SQLite chooses a primary key without statistics."""

    def transaction_lock(self, connection: Connection, name: str) -> None:
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
        folder = os.path.dirname(self._path)
        why = "the file cannot be opened" if os.path.isdir(folder) else "its folder does not exist"
        return f"{self._path}: {why}"

    def _fault_of(self, error: BaseException | None) -> Fault | None:
        if isinstance(error, OSError):  # from a lock file
            return faults.CANNOT_OPEN
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
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        self._enable_wal(connection, path)
        record.info["file"] = (path, _identity(path))

    def _enable_wal(self, connection: sqlite3.Connection, path: str) -> None:
        """Switch a new file to WAL mode, which only one connection at a time can do."""
        if path and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                with WriterLock(path, self._lock_timeout / 3).acquire():
                    connection.execute("PRAGMA journal_mode = WAL")
            except (WriterLockTimeout, OSError) as error:
                raise sqlite3.OperationalError("database is locked") from error

    def _reset(self, connection: LimitedConnection, record: Any, state: Any) -> None:
        connection.time_limit = self._time_limit
        if connection.in_transaction:
            connection.rollback()

    def _begin(self, connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql(self.begin if writes else "BEGIN")


def _path_of(url: URL) -> str:
    """Return the real path of the database file, or "" for a database in memory.

    The URL may contain a path or a `file:` URI.
    """
    name = url.database or ""
    if ":memory:" in name or "mode=memory" in name or url.query.get("mode") == "memory":
        return ""
    if name.startswith("file:") and "uri" in url.query:
        name = unquote(urlsplit(name).path)
    return name and os.path.realpath(name)


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
    if _identity(path) != identity:
        raise DisconnectionError(f"{path} was removed or replaced")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
