"""Helpers for storage tests: limits, driver errors and exports."""

import sqlite3
from collections.abc import Callable
from typing import Any

import psycopg
from sqlalchemy.exc import InvalidRequestError, OperationalError
from xcom_server.factory import limits
from xcom_server.seed_file import dag_as_row, entry_as_row, run_as_row
from xcom_server.settings import Settings
from xcom_server.storage.database.backend import Backend, Limits
from xcom_server.storage.database.sqlite import SqliteBackend
from xcom_server.storage.store import XComStore

MakeStore = Callable[..., XComStore]
"""Returns another store with the same entries; takes the options of open_store."""

OpenBackend = Callable[..., Backend]
"""Opens a backend, takes what opening.open_backend takes, and closes it after the test."""


def limited(**changes: Any) -> Limits:
    """Return the server's default limits with these changed."""
    return limits(Settings(**changes))


def driver_error(kind: type[psycopg.Error]) -> OperationalError:
    return OperationalError("SELECT 1", {}, kind("words with a host and a password"))


def transient_error(backend: Backend) -> tuple[Exception, str]:
    """Return a transient error and the reason in the response."""
    if isinstance(backend, SqliteBackend):
        return InvalidRequestError("This connection is closed"), "connection to the database was"
    return driver_error(psycopg.errors.DeadlockDetected), "Too many clients"


def full_disk(backend: Backend) -> Exception:
    if isinstance(backend, SqliteBackend):
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorname = "SQLITE_FULL"
        return OperationalError("", {}, error)
    return driver_error(psycopg.errors.DiskFull)


def lost_connection(backend: Backend) -> Exception:
    kind: Any = (sqlite3 if isinstance(backend, SqliteBackend) else psycopg).OperationalError
    return OperationalError("", {}, kind("the connection was lost"))


def exported_entries(store: XComStore) -> list[dict[str, Any]]:
    return [*map(entry_as_row, store.export_entries())]


def exported_runs(store: XComStore) -> list[dict[str, Any]]:
    return [*map(run_as_row, store.export_runs())]


def exported_dags(store: XComStore) -> list[dict[str, Any]]:
    return [*map(dag_as_row, store.export_dags())]
