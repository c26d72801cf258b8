"""Opening a store or a backend by its URL, whose scheme selects the database."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Literal
from urllib.parse import quote

from sqlalchemy import inspect, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from xcom_server.errors import DatabaseUnusable
from xcom_server.storage.database.backend import Backend, Limits
from xcom_server.storage.database.postgres import PostgresBackend
from xcom_server.storage.database.sqlite import SqliteBackend
from xcom_server.storage.database.sqlite_file import path_of
from xcom_server.storage.emulator import Control, EmulatorState
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import Observer, XComStore

EMULATOR_SUFFIX = "-emulator"  # of the file beside an SQLite database
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
    max_response_bytes=2**31,
)

Access = Literal["read", "write", "create"]
"""What a command does: only reads, changes a database, or also creates a missing SQLite file."""

_BACKENDS: dict[str, type[Backend]] = {"sqlite": SqliteBackend, "postgresql": PostgresBackend}


def open_store(
    url: str, limits: Limits, *, require_parents: bool = False, observer: Observer | None = None
) -> XComStore:
    """Return the store at a URL, without connecting.  Raises DatabaseUnusable for a bad URL."""
    backend = open_backend(url, limits)
    if observer is not None:
        backend.observe(observer)
    return SqlXComStore(backend, require_parents=require_parents, observer=observer)


def open_emulator_state(url: str, limits: Limits) -> EmulatorState:
    """Return the state of the control plane of the server with this database, without connecting.

    It is in the same PostgreSQL database, or in a file beside that of SQLite, so that recording a
    request never waits for a write to the store.  A server without a control plane does not import
    the implementation.
    """
    from xcom_server.storage.sql.emulator import SqlEmulatorState

    parsed = make_url(absolute(url))
    if parsed.get_backend_name() == "sqlite" and (path := path_of(parsed)):
        return SqlEmulatorState(open_backend(f"sqlite:///{path}{EMULATOR_SUFFIX}", limits))
    return SqlEmulatorState(open_backend(url, limits))


def prepare_emulator(url: str) -> Control:
    """Create the tables of the control plane, and return its state.

    Raises Unavailable, for example if the user may not create tables, and DatabaseUnusable.
    """
    state, store = open_emulator_state(url, COMMAND_LIMITS), open_store(url, COMMAND_LIMITS)
    with _as_unusable(), closing(state), closing(store):
        state.prepare()
        store.snapshots.prepare()
        return state.control()


def open_backend(url: str, limits: Limits = COMMAND_LIMITS, *, is_reading: bool = False) -> Backend:
    """Return the backend for an SQLAlchemy URL, without connecting.

    If `is_reading`, no file is created or changed.  Raises DatabaseUnusable for an invalid or
    unsupported URL, or if the driver is missing.
    """
    with _as_unusable():
        parsed = make_url(url)
        backend = _BACKENDS.get(parsed.get_backend_name())
        if "@" in (parsed.host or ""):
            raise _unusable("write an @ in the password as %40")
        if backend is None or parsed.get_driver_name() != backend.driver:
            raise _unusable(f"unsupported database {parsed.drivername!r}; {URL_HINT}")
        return backend(parsed, limits, is_reading=is_reading)


def absolute(url: str) -> str:
    """Return the URL of the same database from any working directory.

    A URL that is not one of an SQLite file, or not a URL, is returned unchanged.
    """
    try:
        parsed = make_url(url)
        path = path_of(parsed) if parsed.get_backend_name() == "sqlite" else ""
    except (ArgumentError, ValueError, OSError):
        return url
    is_uri = (parsed.database or "").startswith("file:") and "uri" in parsed.query
    found = parsed.set(database=f"file:{quote(path)}" if is_uri else path) if path else None
    return found.render_as_string(hide_password=False) if found else url


def exposures(url: str) -> list[tuple[int, str]]:
    """Return which other users can use the files of a database.

    Each is a level of logging and a sentence for the log.  Raises DatabaseUnusable for a bad URL.
    """
    return open_backend(url).exposures()


@contextmanager
def connected_backend(url: str, access: Access) -> Iterator[Backend]:
    """Connect to a database for a command, yield its backend, and close it afterwards.

    Raises DatabaseUnusable if the database cannot be reached, or fails while it is used.
    """
    backend = open_backend(url, is_reading=access == "read")
    if access == "create":
        backend.create_missing()
    try:
        with _as_unusable(backend), backend.engine.connect() as connection:
            inspect(connection).get_table_names()  # SQLite does not read the file before
            if access != "read":
                backend.check_files()
        yield backend
    except SQLAlchemyError as error:
        raise DatabaseUnusable(backend.describe(error)) from None
    finally:
        backend.close()


@contextmanager
def connected_store(url: str, access: Access) -> Iterator[XComStore]:
    """Yield a store with a current schema, for a command; only with "read" it is not upgraded.

    Raises DatabaseUnusable as `connected_backend` does, and SchemaMismatch.
    """
    with connected_backend(url, access) as backend:
        schema.ensure_current(backend, create=access == "create")
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
    except OSError as error:
        if error.filename is None:  # the current directory does not exist
            raise
        reason = str(error)  # of a lock file
    except SQLAlchemyError as error:
        reason = backend.describe(error) if backend else str(error).splitlines()[0]
    raise _unusable(reason)


def _unusable(reason: str) -> DatabaseUnusable:
    return DatabaseUnusable(f"XCOM_DATABASE_URL cannot be used: {reason}")
