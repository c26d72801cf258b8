"""Driver errors are classified as faults, whose reasons contain no details of the database."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from xcom_server.storage.opening import open_backend

from tests.support.stores import driver_error

POSTGRES = open_backend("postgresql+psycopg://")
SQLITE = open_backend("sqlite://")


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (psycopg.errors.DiskFull, "The disk of the database is full."),
        (psycopg.errors.ReadOnlySqlTransaction, "The database is read-only."),
        (psycopg.errors.LockNotAvailable, "The database is locked by another writer."),
        (psycopg.errors.QueryCanceled, "A database statement took too long."),
        (psycopg.errors.InsufficientPrivilege, "The database role lacks a permission."),
        (psycopg.errors.UndefinedTable, "The database does not have the tables of this server."),
        (psycopg.errors.IoError, "The database has a disk error."),
        (psycopg.errors.OutOfMemory, "The database is out of resources."),
        (psycopg.errors.SerializationFailure, "Too many clients are changing the same entries."),
        (psycopg.errors.InvalidSqlStatementName, "The database has lost a prepared statement."),
        (psycopg.errors.DuplicatePreparedStatement, "The database has lost a prepared statement."),
        (psycopg.errors.IdleSessionTimeout, "The connection to the database was lost."),
        (
            psycopg.errors.IdleInTransactionSessionTimeout,
            "The connection to the database was lost.",
        ),
        (psycopg.errors.TransactionTimeout, "A database statement took too long."),
        (psycopg.errors.ForeignKeyViolation, "Too many clients are changing the same entries."),
        (psycopg.OperationalError, "The database cannot be reached."),
    ],
)
def test_postgresql_error_is_classified(kind: type[psycopg.Error], reason: str) -> None:
    fault = POSTGRES.classify(driver_error(kind))

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("SQLITE_BUSY_SNAPSHOT", "The database is locked by another writer."),
        ("SQLITE_FULL", "The disk of the database is full."),
        ("SQLITE_READONLY_DBMOVED", "The database is read-only."),
        ("SQLITE_CANTOPEN", "The database file cannot be opened."),
        ("SQLITE_IOERR_WRITE", "The database has a disk error, or its disk is full."),
        ("SQLITE_NOTADB", "The database file is damaged."),
        ("SQLITE_ERROR", "The database cannot be reached."),
    ],
)
def test_sqlite_error_is_classified(name: str, reason: str) -> None:
    error = sqlite3.OperationalError("words with a path")
    error.sqlite_errorname = name

    fault = SQLITE.classify(OperationalError("", {}, error))

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(
    "error",
    [
        ProgrammingError("SELEC", {}, psycopg.errors.SyntaxError("no")),
        IntegrityError("", {}, psycopg.errors.UniqueViolation("")),
        ValueError(),
    ],
)
def test_programming_error_is_not_a_database_fault(error: Exception) -> None:
    assert POSTGRES.classify(error) is None
    assert SQLITE.classify(error) is None
