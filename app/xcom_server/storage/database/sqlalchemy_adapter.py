"""The only module that uses semi-public members of SQLAlchemy.

tests/storage/test_sqlalchemy_adapter.py names the one that a new release of SQLAlchemy breaks.
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
    """A datetime in UTC; a database without time zones stores it without its time zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a datetime to UTC for the database."""
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Convert a datetime from the database to UTC, with its time zone."""
        return value and in_utc(value)


def in_utc(value: datetime) -> datetime:
    """Convert a datetime to UTC; one without a time zone is taken as UTC."""
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


class CompiledStatement:
    """A statement that SQLAlchemy compiles once, and that runs on the driver's own cursor.

    SQLAlchemy's execution of a statement takes several times as long as the database needs for one
    entry.
    """

    def __init__(
        self,
        statement: Statement,
        dialect: Dialect,
        read_datetimes: Callable[[Sequence[Sequence[Any]]], list[list[Any]]],
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
        ]  # columns of other types need no conversion

    def run(self, cursor: Any, parameters: dict[str, Any]) -> list[Row]:
        """Run the statement with these parameters, by name, and return all rows."""
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
        found = self._read_datetimes([columns[place] for place in self._datetime_columns])
        for place, column in zip(self._datetime_columns, found, strict=True):
            columns[place] = column
        return list(zip(*columns, strict=True))


def driver_errors(engine: Engine) -> tuple[type[Exception], tuple[type[Exception], ...]]:
    """Return the driver's base error, and its classes of operational errors."""
    driver: Any = engine.dialect.loaded_dbapi
    return driver.Error, (driver.OperationalError, driver.InterfaceError)


def is_disconnect(engine: Engine, error: Exception, connection: PoolProxiedConnection) -> bool:
    """Return whether a driver's error means that the connection was lost."""
    dialect: Any = engine.dialect
    return bool(dialect.is_disconnect(error, connection.dbapi_connection, None))


def is_stale_connection(error: InvalidRequestError) -> bool:
    """Return whether the pool has failed because two connections in a row were stale.

    SQLAlchemy raises InvalidRequestError for this and for other errors; the message differs.
    """
    return "connection is closed" in str(error)
