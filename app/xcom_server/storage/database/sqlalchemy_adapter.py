"""The one place that uses semi-public members of SQLAlchemy.

tests/storage/test_sqlalchemy_adapter.py says which contract broke if a new release changes one.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, Engine, PoolProxiedConnection, Select, TypeDecorator
from sqlalchemy.exc import InvalidRequestError
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

Statement = Select[Any] | ReturningInsert[Any] | ReturningUpdate[Any] | ReturningDelete[Any]

Row = tuple[Any, ...]


class UtcDateTime(TypeDecorator[datetime]):
    """A datetime in UTC.  A database without time zones stores it without one."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return the datetime in UTC, for the database."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return a datetime from the database in UTC, with its zone."""
        return value and in_utc(value)


def in_utc(value: datetime) -> datetime:
    """Return a datetime in UTC; one without a zone is in UTC already."""
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class CompiledStatement:
    """A statement that is compiled once and run on the driver's own cursor.

    SQLAlchemy builds it and knows how the database stores every type.  Repeating that for every
    execution takes several times as long as the database needs for one entry.
    """

    def __init__(
        self,
        statement: Statement,
        dialect: Dialect,
        read_datetimes: Callable[[Sequence[Any]], list[Any]],
    ) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._positions = compiled.positiontup  # of a driver that numbers parameters, else None
        self._defaults = compiled.params
        self._bind_processors = {
            name: process
            for bind, name in compiled.bind_names.items()
            if (process := bind.type.dialect_impl(dialect).bind_processor(dialect))
        }
        self._read_datetimes = read_datetimes
        self._datetime_columns = [
            place
            for place, column in enumerate(statement.exported_columns)
            if isinstance(column.type, UtcDateTime)
        ]  # other types are as drivers return them

    def run(self, cursor: Any, parameters: dict[str, Any]) -> list[Row]:
        """Run the statement with parameters by name and return all rows."""
        values = {**self._defaults, **parameters}
        for name, process in self._bind_processors.items():
            values[name] = process(values[name])
        cursor.execute(
            self._text, [values[name] for name in self._positions] if self._positions else values
        )
        rows: list[Row] = cursor.fetchall()
        if not rows or not self._datetime_columns:
            return rows
        columns: list[Any] = list(zip(*rows, strict=True))
        for place in self._datetime_columns:
            columns[place] = self._read_datetimes(columns[place])
        return list(zip(*columns, strict=True))


def driver_errors(engine: Engine) -> tuple[type[Exception], tuple[type[Exception], ...]]:
    """Return the driver's base error, and its errors about the operation of the database."""
    driver: Any = engine.dialect.loaded_dbapi
    return driver.Error, (driver.OperationalError, driver.InterfaceError)


def is_disconnect(engine: Engine, error: Exception, connection: PoolProxiedConnection) -> bool:
    """Return whether a driver's error means that the connection was lost."""
    dialect: Any = engine.dialect
    return bool(dialect.is_disconnect(error, connection.dbapi_connection, None))


def is_stale_connection(error: InvalidRequestError) -> bool:
    """Return whether the pool gave up because two connections in a row were stale.

    SQLAlchemy raises its general InvalidRequestError for this; only the text tells it apart.
    """
    return "connection is closed" in str(error)
