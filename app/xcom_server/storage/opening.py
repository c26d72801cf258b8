"""Opening a store or a backend by its URL, whose scheme selects the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.database.backend import Backend, Limits
from xcom_server.storage.database.postgres import PostgresBackend
from xcom_server.storage.database.sqlite import SqliteBackend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import Observer, XComStore

URL_HINT = "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"

# For commands, where no client waits for a response.
COMMAND_LIMITS = Limits(
    threads=1,
    pool_size=10,
    pool_timeout_seconds=30,
    connect_timeout_seconds=10,
    statement_timeout_seconds=0,
    lock_timeout_seconds=30,
    prepared_statements=True,
)

_BACKENDS: dict[str, type[Backend]] = {"sqlite": SqliteBackend, "postgresql": PostgresBackend}


def open_store(
    url: str, limits: Limits, *, require_parents: bool = False, observer: Observer | None = None
) -> XComStore:
    """Return the store at a URL, without connecting.  Raises DatabaseUnusable for a bad URL."""
    backend = open_backend(url, limits)
    if observer is not None:
        backend.observe(observer)
    return SqlXComStore(backend, require_parents=require_parents, observer=observer)


def open_backend(url: str, limits: Limits = COMMAND_LIMITS) -> Backend:
    """Return the backend for an SQLAlchemy URL, without connecting.

    Raises DatabaseUnusable for an invalid or unsupported URL, or if the driver is missing.
    """
    with _as_unusable():
        parsed = make_url(url)
        backend = _BACKENDS.get(parsed.get_backend_name())
        if "@" in (parsed.host or ""):
            raise _unusable("write an @ in the password as %40")
        if backend is None or parsed.get_driver_name() != backend.driver:
            raise _unusable(f"unsupported database {parsed.drivername!r}; {URL_HINT}")
        return backend(parsed, limits)


@contextmanager
def connected_backend(url: str) -> Iterator[Backend]:
    """Connect to a database for a command, yield its backend, and close it afterwards.

    Raises DatabaseUnusable if the database cannot be reached, or fails while it is used.
    """
    backend = open_backend(url)
    try:
        with _as_unusable(backend), backend.engine.connect() as connection:
            inspect(connection).get_table_names()  # SQLite does not read the file before
        yield backend
    except SQLAlchemyError as error:
        raise DatabaseUnusable(backend.describe(error)) from None
    finally:
        backend.close()


@contextmanager
def connected_store(url: str) -> Iterator[XComStore]:
    """Yield a store with a current schema, for a command.

    Raises DatabaseUnusable as `connected_backend` does, and SchemaMismatch.
    """
    with connected_backend(url) as backend:
        schema.ensure_current(backend)
        yield SqlXComStore(backend)


@contextmanager
def _as_unusable(backend: Backend | None = None) -> Iterator[None]:
    """Turn errors into DatabaseUnusable with a message that does not contain the password."""
    try:
        yield
        return
    except ModuleNotFoundError as error:
        is_psycopg = error.name == "psycopg"
        hint = "install it with: pip install '.[postgres]'" if is_psycopg else URL_HINT
        reason = f"{error}; {hint}"
    except (ArgumentError, ValueError, TypeError):  # which may contain the password
        reason = f"not a database URL; {URL_HINT}"
    except SQLAlchemyError as error:
        reason = backend.describe(error) if backend else str(error).splitlines()[0]
    raise _unusable(reason)


def _unusable(reason: str) -> DatabaseUnusable:
    return DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}")
