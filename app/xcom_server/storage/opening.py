"""Opens a store by its URL; a store of another kind would be chosen here, by the scheme."""

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

# For commands, where no client is waiting for an answer.
COMMAND_LIMITS = Limits(
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
    """Return the store at a URL, unconnected.  Raises DatabaseUnusable for an unsupported URL."""
    backend = open_backend(url, limits)
    if observer is not None:
        backend.observe(observer)
    return SqlXComStore(backend, require_parents=require_parents, observer=observer)


def open_backend(url: str, limits: Limits = COMMAND_LIMITS) -> Backend:
    """Return the backend for an SQLAlchemy URL, unconnected.  Raises DatabaseUnusable."""
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
    """Yield a backend that has reached its database, for a command, and close it after use.

    Raises DatabaseUnusable if it cannot be reached, or fails while it is used.
    """
    backend = open_backend(url)
    try:
        with _as_unusable(), backend.engine.connect() as connection:
            inspect(connection).get_table_names()  # SQLite reads the file only now
        yield backend
    except SQLAlchemyError as error:
        raise DatabaseUnusable(str(error).splitlines()[0]) from None
    finally:
        backend.close()


@contextmanager
def connected_store(url: str) -> Iterator[XComStore]:
    """Yield a store for a command, with a current schema.  Raises what connected_backend raises."""
    with connected_backend(url) as backend:
        schema.ensure_current(backend)
        yield SqlXComStore(backend)


@contextmanager
def _as_unusable() -> Iterator[None]:
    """Turn errors into DatabaseUnusable, whose text does not contain the URL's password."""
    try:
        yield
        return
    except ModuleNotFoundError as error:
        hint = "pip install '.[postgres]' brings it" if error.name == "psycopg" else URL_HINT
        reason = f"{error}; {hint}"
    except (ArgumentError, ValueError, TypeError):  # which may contain the password
        reason = f"not a database URL; {URL_HINT}"
    except SQLAlchemyError as error:
        reason = str(error).splitlines()[0]
    raise _unusable(reason)


def _unusable(reason: str) -> DatabaseUnusable:
    return DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}")
