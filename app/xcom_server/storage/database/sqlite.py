"""SQLite: a file in WAL mode, synced at every commit, or a database in memory."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DisconnectionError

from xcom_server.storage.database import faults
from xcom_server.storage.database.backend import Backend, Limits
from xcom_server.storage.database.faults import Fault
from xcom_server.storage.database.sqlalchemy_adapter import in_utc
from xcom_server.storage.database.writer_lock import WriterLock, WriterLockTimeout

_DAMAGED = Fault("The file of the database is damaged.")
_FAULTS = {
    "SQLITE_BUSY": faults.LOCKED,
    "SQLITE_LOCKED": faults.LOCKED,
    "SQLITE_FULL": faults.FULL,
    "SQLITE_READONLY": faults.READ_ONLY,
    "SQLITE_CANTOPEN": faults.CANNOT_OPEN,
    "SQLITE_IOERR": Fault("The disk of the database fails or is full."),
    "SQLITE_CORRUPT": _DAMAGED,
    "SQLITE_NOTADB": _DAMAGED,
}
"""SQLite's primary result codes."""


class SqliteBackend(Backend):
    """SQLite, whose writers hold a lock of this server while they write."""

    driver = "pysqlite"
    # A deferred transaction that begins to write fails at once if another writer was faster,
    # whatever the busy time-out says; one that begins as a writer waits.
    begin = "BEGIN IMMEDIATE"
    insert = sqlite.Insert
    upgrades_itself = True

    def _create_engine(self, url: URL, limits: Limits) -> Engine:
        self._lock_timeout = limits.lock_timeout_seconds
        self._path = _path_of(url)
        self.is_in_memory = not self._path
        # In memory, one connection, kept for good and used by one thread at a time, is the
        # database.
        engine = create_engine(
            url,
            hide_parameters=True,
            connect_args={"check_same_thread": False},
            poolclass=QueuePool,
            pool_size=limits.pool_size if self._path else 1,
            max_overflow=0,
            pool_timeout=limits.pool_timeout_seconds,
            pool_reset_on_return=None,
        )
        event.listen(engine, "connect", self._configure)
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "reset", _roll_back)
        if self._path:
            event.listen(engine, "checkout", _refuse_another_file)
        return engine

    def writer_lock(self, since: float | None = None) -> AbstractContextManager[None]:
        """Return the lock that makes writers of one file wait in order."""
        if not self._path:
            return nullcontext()
        return WriterLock(self._path, self._lock_timeout).acquire(since)

    def transaction_lock(self, connection: Connection, name: str) -> None:
        """Do nothing: one transaction at a time writes."""

    def read_datetimes(self, column: Sequence[str | None]) -> list[datetime | None]:
        """Return a column of datetimes in UTC.

        The entries of a page share their DAG runs, so each distinct text is parsed once.
        """
        parsed = {text: text and _parse(text) for text in {*column}}
        return [parsed[text] for text in column]  # type: ignore[misc]

    def _fault_of(self, error: BaseException | None) -> Fault | None:
        if isinstance(error, OSError):  # of a lock file
            return faults.CANNOT_OPEN
        name = "_".join(getattr(error, "sqlite_errorname", "").split("_")[:2])
        text = str(error)
        has_no_tables = "no such table" in text or "no such column" in text
        return _FAULTS.get(name) or (faults.NO_TABLES if has_no_tables else None)

    def _configure(self, connection: sqlite3.Connection, record: Any) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        # A writer that waits for SQLite itself holds this server's lock already, so it waits for
        # another program, and it has waited before.
        milliseconds = f"{self._lock_timeout / 3 * 1000:.0f}"
        for pragma in (f"busy_timeout = {milliseconds}", "synchronous = FULL", "foreign_keys = ON"):
            connection.execute(f"PRAGMA {pragma}")
        path = connection.execute("PRAGMA database_list").fetchone()[2]
        self._enable_wal(connection, path)
        record.info["file"] = (path, _identity(path))

    def _enable_wal(self, connection: sqlite3.Connection, path: str) -> None:
        """Give a new file a write-ahead log, which one connection at a time can do."""
        if path and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            try:
                with WriterLock(path, self._lock_timeout / 3).acquire():
                    connection.execute("PRAGMA journal_mode = WAL")
            except (WriterLockTimeout, OSError) as error:
                raise sqlite3.OperationalError("database is locked") from error

    def _begin(self, connection: Connection) -> None:
        writes = connection.get_execution_options().get("writes", False)
        connection.exec_driver_sql(self.begin if writes else "BEGIN")


def _path_of(url: URL) -> str:
    """Return the real path of the database's file, which a URL may give as a URI; "" in memory."""
    name = url.database or ""
    if ":memory:" in name or "mode=memory" in name or url.query.get("mode") == "memory":
        return ""
    if name.startswith("file:") and "uri" in url.query:
        name = unquote(urlsplit(name).path)
    return name and os.path.realpath(name)


def _parse(text: str) -> datetime:
    if len(text) == len("2024-01-01 00:00:00.000000"):  # as SQLAlchemy writes it
        return datetime.fromisoformat(text + "+00:00")  # twice as fast as replacing the zone
    return in_utc(datetime.fromisoformat(text))


def _roll_back(connection: sqlite3.Connection, record: Any, state: Any) -> None:
    if connection.in_transaction:
        connection.rollback()


def _refuse_another_file(connection: Any, record: Any, proxy: Any) -> None:
    """Refuse a connection whose file was removed or replaced: its writes would be lost."""
    path, identity = record.info["file"]
    if _identity(path) != identity:
        raise DisconnectionError(f"{path} is another file than it was")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino
