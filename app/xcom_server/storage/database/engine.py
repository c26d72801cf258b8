"""Engines: how each kind of database is connected to, and how long anyone waits for it."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from xcom_server.storage.database import postgres, sqlite
from xcom_server.storage.database.writer_lock import NullWriterLock, WriterLock
from xcom_server.storage.limits import COMMAND_LIMITS, Limits

URL_HINT = "give sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"


class DatabaseUnusable(RuntimeError):
    """No database answers at a URL; the text says why, without the URL's password."""


def open_engine(url: str, limits: Limits = COMMAND_LIMITS) -> Engine:
    """Return an engine for an SQLAlchemy URL; nothing is connected yet.

    Raises sqlalchemy.exc.ArgumentError for what is no URL, and DatabaseUnusable for a kind of
    database that is none of SQLite and PostgreSQL.
    """
    parsed = make_url(url)
    if "@" in (parsed.host or ""):
        raise DatabaseUnusable("XCOM_DATABASE_URL cannot be used: in its password, write @ as %40")
    backends = {"sqlite": sqlite.engine, "postgresql": postgres.engine}
    if parsed.get_backend_name() not in backends:
        raise DatabaseUnusable("XCOM_DATABASE_URL cannot be used: it names"
                               f" {parsed.get_backend_name()}; {URL_HINT}")
    return backends[parsed.get_backend_name()](parsed, limits)


@contextmanager
def opened(url: str, limits: Limits = COMMAND_LIMITS) -> Iterator[Engine]:
    """Yield an engine that reached its database, and close it after use.

    Raises DatabaseUnusable where there is none to reach.
    """
    try:
        engine = open_engine(url, limits)
        with engine.connect() as connection:
            inspect(connection).get_table_names()  # SQLite reads the file only now
    except (SQLAlchemyError, ModuleNotFoundError, ValueError, TypeError) as error:
        reason = str(error).splitlines()[0]
        if isinstance(error, ModuleNotFoundError):
            reason += ("; pip install '.[postgres]' brings it" if error.name == "psycopg"
                       else f"; {URL_HINT}")
        if isinstance(error, ValueError | TypeError | ArgumentError):  # which may hold the password
            reason = f"it is no such URL; {URL_HINT}"
        raise DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}") from None
    try:
        yield engine
    finally:
        engine.dispose()


def is_in_memory(url: str) -> bool:
    """Say whether the database lives in one process only and ends with it."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and sqlite.is_in_memory(parsed)


def for_writing(engine: Engine) -> Engine:
    """Return the engine for transactions that write.

    A deferred SQLite transaction that turns into a writing one fails at once when another writer
    was faster, whatever the busy timeout says; one that begins as a writer waits for its turn.
    """
    return engine.execution_options(writes=True)


def begin(engine: Engine) -> str:
    """Return the statement that begins a transaction that writes."""
    return "BEGIN IMMEDIATE" if engine.dialect.name == "sqlite" else "BEGIN"


def turns_of(engine: Engine) -> WriterLock | NullWriterLock:
    """Return the turns that the writers of an engine's database take."""
    if engine.dialect.name != "sqlite" or sqlite.is_in_memory(engine.url):
        return NullWriterLock()
    return WriterLock(sqlite.path_of(engine.url), engine.get_execution_options()["lock_timeout_seconds"])
