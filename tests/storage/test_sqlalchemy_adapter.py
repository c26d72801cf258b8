"""Canaries: what storage/database/sqlalchemy_adapter.py relies on in SQLAlchemy."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from sqlalchemy import Engine, bindparam, create_engine, event, select
from sqlalchemy.exc import DisconnectionError, InvalidRequestError
from xcom_server.storage.database import sqlalchemy_adapter
from xcom_server.storage.database.sqlalchemy_adapter import CompiledSql
from xcom_server.storage.sql.tables import xcom

ADAPTER = "see compile_statement in storage/database/sqlalchemy_adapter.py"


def compiled(url: str) -> CompiledSql:
    query = select(xcom.c.value).where(xcom.c.timestamp == bindparam("date", None),
                                       xcom.c.key == bindparam("key", None))
    return sqlalchemy_adapter.compile_statement(query, create_engine(url).dialect)


def test_positional_parameters_are_listed_in_order() -> None:
    assert compiled("sqlite://").positions == ["date", "key"], (
        f"Compiled.positiontup does not list the parameters of SQLite in order any more; {ADAPTER}")


def test_named_parameters_have_no_positions() -> None:
    sql = compiled("postgresql+psycopg://")

    assert (sql.positions, "%(date)s" in sql.text) == (None, True), (
        f"psycopg's parameters are not named in the compiled text any more; {ADAPTER}")


def test_parameters_have_defaults_and_bind_processors() -> None:
    sql = compiled("sqlite://")

    assert sql.defaults == {"date": None, "key": None}, (
        f"Compiled.params does not contain the defaults any more; {ADAPTER}")
    assert sql.bind_processors["date"](datetime(2024, 1, 1, tzinfo=UTC)) == (
        "2024-01-01 00:00:00.000000"), (
        "the bind processor of a type does not convert datetimes for SQLite any more; it comes from"
        f" Compiled.bind_names and TypeEngine.dialect_impl().bind_processor(); {ADAPTER}")


@pytest.mark.parametrize(("url", "driver"), [
    ("sqlite://", sqlite3), ("postgresql+psycopg://", psycopg)], ids=["sqlite", "postgresql"])
def test_the_errors_of_a_driver_are_found(url: str, driver: Any) -> None:
    assert sqlalchemy_adapter.driver_errors(create_engine(url)) == (
        driver.Error, (driver.OperationalError, driver.InterfaceError)), (
        "Dialect.loaded_dbapi is not the driver's module any more; see driver_errors")


def test_an_error_of_a_closed_connection_is_a_disconnect() -> None:
    engine = create_engine("sqlite://")
    connection = engine.raw_connection()
    closed = sqlite3.ProgrammingError("Cannot operate on a closed database.")

    found = [sqlalchemy_adapter.is_disconnect(engine, error, connection)
             for error in (closed, sqlite3.OperationalError("locked"))]

    connection.close()
    assert found == [True, False], (
        "Dialect.is_disconnect does not recognise a closed connection any more; see is_disconnect")


def test_a_pool_that_finds_two_stale_connections_raises_what_the_adapter_recognises() -> None:
    engine: Engine = create_engine("sqlite://")

    @event.listens_for(engine, "checkout")
    def refuse(*_: Any) -> None:
        raise DisconnectionError

    with pytest.raises(InvalidRequestError) as error:
        engine.raw_connection()
    assert sqlalchemy_adapter.is_stale_connection(error.value), (
        f"the pool's error for stale connections has another text now: {error.value};"
        " see is_stale_connection")
