"""SQLite: one file in WAL mode, synced at every commit, or a database in memory."""

import os
import sqlite3
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event
from sqlalchemy.exc import DisconnectionError

from xcom_server.storage.database.writer_lock import WriterLock, WriterLockTimeout
from xcom_server.storage.limits import Limits


def engine(url: URL, limits: Limits) -> Engine:
    """Return an engine for a SQLite URL."""
    in_memory = is_in_memory(url)
    # In memory, one connection, kept for good and used by one thread at a time, is the database.
    made = create_engine(
        url, hide_parameters=True, connect_args={"check_same_thread": False}, poolclass=QueuePool,
        pool_size=1 if in_memory else limits.pool_size, max_overflow=0,
        pool_timeout=limits.pool_timeout_seconds, pool_reset_on_return=None,
        execution_options={"lock_timeout_seconds": limits.lock_timeout_seconds})
    # Whoever waits for SQLite itself has its turn among this server's writers already: so it waits
    # for a stranger, and it has waited.
    event.listen(made, "connect", partial(_prepare, busy_timeout_seconds=limits.lock_timeout_seconds / 3))
    event.listen(made, "begin", _begin)
    event.listen(made, "reset", _undo)
    if not in_memory:
        event.listen(made, "checkout", _refuse_another_file)
    return made


def is_in_memory(url: URL) -> bool:
    """Say whether the database ends with its process."""
    name = url.database or ""
    return (name == "" or ":memory:" in name or "mode=memory" in name
            or url.query.get("mode") == "memory")


def path_of(url: URL) -> str:
    """Return the path of the database's file, which a URL may give as a URI."""
    name = url.database or ""
    if name.startswith("file:") and "uri" in url.query:
        name = unquote(urlsplit(name).path)
    return os.path.realpath(name)  # whatever name it is known by


def _prepare(connection: Any, record: Any, busy_timeout_seconds: float) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in (f"busy_timeout = {busy_timeout_seconds * 1000:.0f}", "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")
    path = connection.execute("PRAGMA database_list").fetchone()[2]
    _write_ahead(connection, path, busy_timeout_seconds)
    record.info["file"] = (path, _identity(path))


def _write_ahead(connection: Any, path: str, timeout_seconds: float) -> None:
    """Make a file that is new one with a write-ahead log, which only one can do at a time."""
    if path and connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            with WriterLock(path, timeout_seconds).turn():
                connection.execute("PRAGMA journal_mode = WAL")
        except (WriterLockTimeout, OSError) as error:
            raise sqlite3.OperationalError("database is locked") from error


def _undo(connection: Any, record: Any, state: Any) -> None:
    if connection.in_transaction:
        connection.rollback()


def _refuse_another_file(connection: Any, record: Any, proxy: Any) -> None:
    """Refuse a connection whose file was removed or replaced: what it stores nobody would find."""
    path, identity = record.info["file"]
    if _identity(path) != identity:
        raise DisconnectionError(f"{path} is another file than it was")


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
