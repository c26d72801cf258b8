"""Opens a store by its URL; a store of another kind would be chosen here, by the scheme."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.postgres import PostgresBackend
from xcom_server.storage.database.sqlite import SqliteBackend
from xcom_server.storage.limits import COMMAND_LIMITS, Limits
from xcom_server.storage.observer import Observer
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import XComStore

URL_HINT = "use sqlite:///FILE or postgresql+psycopg://USER:PASSWORD@HOST:PORT/NAME"

_BACKENDS: dict[str, type[Backend]] = {"sqlite": SqliteBackend, "postgresql": PostgresBackend}


def open_store(url: str, limits: Limits, *, require_parents: bool = False,
               observer: Observer | None = None) -> XComStore:
    """Return the store at a URL; nothing is connected yet.

    Raises DatabaseUnusable for a URL that names no supported database.
    """
    backend = open_backend(url, limits)
    if observer is not None:
        backend.observe(observer)
    return SqlXComStore(backend, require_parents=require_parents, observer=observer)


def open_backend(url: str, limits: Limits = COMMAND_LIMITS) -> Backend:
    """Return the backend for an SQLAlchemy URL; nothing is connected yet.

    Raises DatabaseUnusable, whose text does not contain the URL's password.
    """
    try:
        parsed = make_url(url)
        if "@" in (parsed.host or ""):
            raise _unusable("write an @ in the password as %40")
        backend = _BACKENDS.get(parsed.get_backend_name())
        if backend is None or parsed.get_driver_name() != backend.driver:
            raise _unusable(f"unsupported database {parsed.drivername!r}; {URL_HINT}")
        return backend(parsed, limits)
    except ModuleNotFoundError as error:
        hint = "pip install '.[postgres]' brings it" if error.name == "psycopg" else URL_HINT
        raise _unusable(f"{error}; {hint}") from None
    except (ArgumentError, SQLAlchemyError, ValueError, TypeError):  # may contain the password
        raise _unusable(f"not a database URL; {URL_HINT}") from None


@contextmanager
def connected_backend(url: str, limits: Limits = COMMAND_LIMITS) -> Iterator[Backend]:
    """Yield a backend that reached its database, and close it after use.

    Raises DatabaseUnusable if it cannot be reached, or fails while it is used.
    """
    backend = open_backend(url, limits)
    try:
        _connect(backend)
        yield backend
    except SQLAlchemyError as error:
        raise DatabaseUnusable(_first_line(error)) from None
    finally:
        backend.close()


def _connect(backend: Backend) -> None:
    try:
        with backend.engine.connect() as connection:
            inspect(connection).get_table_names()  # SQLite reads the file only now
    except SQLAlchemyError as error:
        raise _unusable(_first_line(error)) from None
    except (ValueError, TypeError):  # of a driver: an option it does not know, or its type
        raise _unusable(f"not a database URL; {URL_HINT}") from None


def _unusable(reason: str) -> DatabaseUnusable:
    return DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}")


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
