"""Connections to the database, and how each kind of database begins a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, QueuePool, create_engine, event, inspect, make_url
from sqlalchemy.exc import SQLAlchemyError


class DatabaseUnusable(RuntimeError):
    """No database answers at a URL; the text says why, without the URL's password."""


BUSY_TIMEOUT_MS = 30_000
"""How long a writer waits for its turn on SQLite."""


def open_engine(url: str) -> Engine:
    """Return an engine for an SQLAlchemy URL; nothing is connected yet.

    Raises sqlalchemy.exc.ArgumentError for what is no URL.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return _sqlite(parsed)
    if parsed.get_backend_name() == "postgresql":
        # Dates near year 1 can only be read where the session's zone is UTC.
        options = f"{parsed.query.get('options', '')} -c timezone=UTC"
        return create_engine(parsed, connect_args={"options": options}, hide_parameters=True)
    return create_engine(parsed, hide_parameters=True)


@contextmanager
def opened(url: str) -> Iterator[Engine]:
    """Yield an engine that reached its database, and close it after use.

    Raises DatabaseUnusable where there is none to reach.
    """
    try:
        engine = open_engine(url)
        with engine.connect() as connection:
            inspect(connection).get_table_names()  # SQLite reads the file only now
    except (SQLAlchemyError, ModuleNotFoundError, ValueError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, ModuleNotFoundError) and error.name == "psycopg":
            reason += "; pip install '.[postgres]' brings it"
        raise DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}") from None
    try:
        yield engine
    finally:
        engine.dispose()


def is_in_memory(url: str) -> bool:
    """Say whether the database lives in one process only and ends with it."""
    parsed = make_url(url)
    name = parsed.database or ""
    return parsed.get_backend_name() == "sqlite" and (
        name == "" or ":memory:" in name or "mode=memory" in name
        or parsed.query.get("mode") == "memory")


def for_writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write.

    A deferred SQLite transaction that turns into a writing one fails at once when another writer
    was faster, whatever the busy timeout says; one that begins as a writer waits for its turn.
    """
    return engine.execution_options(writes=True)


def _sqlite(url: URL) -> Engine:
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False}}
    if is_in_memory(url.render_as_string(hide_password=False)):
        # One connection, kept for good, and used by one thread at a time: it is the database.
        options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
    engine = create_engine(url, hide_parameters=True, **options)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver must not begin transactions of its own
    for pragma in (f"busy_timeout = {BUSY_TIMEOUT_MS}", "journal_mode = WAL",
                   "synchronous = FULL", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
