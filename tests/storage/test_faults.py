"""What an error of a database means is told in a sentence that gives nothing away."""

import psycopg
import pytest
from sqlalchemy.exc import IntegrityError, OperationalError, ProgrammingError
from xcom_server.storage.database.faults import classify


def driver_error(kind: type[psycopg.Error]) -> OperationalError:
    return OperationalError("SELECT 1", {}, kind("words with a host and a password"))


@pytest.mark.parametrize(("kind", "reason"), [
    (psycopg.errors.DiskFull, "The disk of the database is full."),
    (psycopg.errors.ReadOnlySqlTransaction, "The database is read-only."),
    (psycopg.errors.LockNotAvailable, "The database is locked by another writer."),
    (psycopg.errors.QueryCanceled, "The database takes too long."),
    (psycopg.errors.InsufficientPrivilege, "The database does not permit it."),
    (psycopg.errors.UndefinedTable, "The database does not hold the tables of this server."),
    (psycopg.errors.IoError, "The disk of the database fails."),
    (psycopg.errors.OutOfMemory, "The database has no resources left."),
    (psycopg.OperationalError, "The database cannot be reached.")])
def test_a_fault_is_told_in_a_sentence_that_gives_nothing_away(
        kind: type[psycopg.Error], reason: str) -> None:
    fault = classify(driver_error(kind))

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize(("words", "reason"), [
    ("FATAL:  sorry, too many clients already", "The database takes no more connections."),
    ("FATAL:  remaining connection slots are reserved", "The database takes no more connections."),
    ("FATAL:  the database system is starting up", "The database is starting."),
    ("FATAL:  the database system is shutting down", "The database is shutting down.")])
def test_what_postgresql_says_to_a_new_connection_is_told(words: str, reason: str) -> None:
    fault = classify(OperationalError("", {}, psycopg.OperationalError(words)))

    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize("error", [
    ProgrammingError("SELEC", {}, psycopg.errors.SyntaxError("no")),
    IntegrityError("", {}, psycopg.errors.ForeignKeyViolation("")), ValueError()])
def test_an_error_that_is_no_fault_of_the_database_is_none(error: Exception) -> None:
    assert classify(error) is None
