"""Canaries for the SQLAlchemy internals that storage/database/sqlalchemy_adapter.py uses."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, bindparam, create_engine, event, select
from sqlalchemy.exc import DisconnectionError, InvalidRequestError
from xcom_server.storage.database import sqlalchemy_adapter
from xcom_server.storage.sql.tables import xcom

ADAPTER = "see CompiledStatement in storage/database/sqlalchemy_adapter.py"
DATE = datetime(2024, 1, 1, tzinfo=UTC)


class Cursor:
    """A driver's cursor that keeps the statement and its parameters."""

    def execute(self, text: str, parameters: Any) -> None:
        self.text, self.parameters = text, parameters

    def fetchall(self) -> list[Any]:
        return []


def executed(url: str, **parameters: Any) -> Cursor:
    """Run a query by date and key; return the cursor with what the driver received."""
    query = select(xcom.c.value).where(
        xcom.c.timestamp == bindparam("date", None), xcom.c.key == bindparam("key", None)
    )
    cursor = Cursor()
    dialect = create_engine(url).dialect
    sqlalchemy_adapter.CompiledStatement(query, dialect, lambda columns: []).run(cursor, parameters)
    return cursor


def test_positional_parameters_are_in_order_and_converted() -> None:
    assert executed("sqlite://", key="k", date=DATE).parameters == [
        "2024-01-01 00:00:00.000000",
        "k",
    ], (
        "Compiled.positiontup does not list the parameters of SQLite in order any more, or"
        " Compiled.bind_names and TypeEngine.dialect_impl().bind_processor() do not convert"
        f" datetimes; {ADAPTER}"
    )


def test_named_parameters_appear_in_the_text() -> None:
    cursor = executed("postgresql+psycopg://", key="k", date=DATE)

    assert "%(date)s" in cursor.text, (
        f"psycopg's parameters are not named in the compiled text any more; {ADAPTER}"
    )
    assert cursor.parameters == {"key": "k", "date": DATE}, (
        f"Compiled.positiontup is not None for named parameters any more; {ADAPTER}"
    )


def test_missing_parameter_has_its_default() -> None:
    assert executed("sqlite://", date=DATE).parameters[1] is None, (
        f"Compiled.params does not contain the defaults any more; {ADAPTER}"
    )


@pytest.mark.parametrize(
    ("url", "driver"),
    [("sqlite://", sqlite3), ("postgresql+psycopg://", psycopg)],
    ids=["sqlite", "postgresql"],
)
def test_error_classes_of_a_driver_are_found(url: str, driver: Any) -> None:
    assert sqlalchemy_adapter.driver_errors(create_engine(url)) == (
        driver.Error,
        (driver.OperationalError, driver.InterfaceError),
    ), "Dialect.loaded_dbapi is not the driver's module any more; see driver_errors"


def test_error_of_a_closed_connection_is_a_disconnect() -> None:
    engine = create_engine("sqlite://")
    connection = engine.raw_connection()
    closed = sqlite3.ProgrammingError("Cannot operate on a closed database.")

    found = [
        sqlalchemy_adapter.is_disconnect(engine, error, connection)
        for error in (closed, sqlite3.OperationalError("locked"))
    ]

    connection.close()
    engine.dispose()
    assert found == [True, False], (
        "Dialect.is_disconnect does not recognise a closed connection any more; see is_disconnect"
    )


def test_error_for_two_stale_connections_is_recognized() -> None:
    engine: Engine = create_engine("sqlite://")

    @event.listens_for(engine, "checkout")
    def refuse(*_: Any) -> None:
        raise DisconnectionError

    with pytest.raises(InvalidRequestError) as error:
        engine.raw_connection()
    engine.dispose()
    assert sqlalchemy_adapter.is_stale_connection(error.value), (
        f"the pool's error for stale connections has another text now: {error.value};"
        " see is_stale_connection"
    )
