"""Statements that are compiled once and run on the driver's own cursor.

SQLAlchemy builds each statement and knows how its database stores every type.  Repeating that for
every execution takes several times as long as the database needs for one entry.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import Dialect

from xcom_server.storage.database.sqlalchemy_adapter import Statement, compile_statement
from xcom_server.storage.database.types import UtcDateTime

Row = tuple[Any, ...]


class Reader(Protocol):
    """What a compiled statement needs of a backend."""

    dialect: Dialect

    def read_datetimes(self, column: Sequence[Any]) -> list[Any]:
        """Return a column of datetimes in UTC, as the driver gave them."""


class CompiledStatement:
    """A statement for one backend that can be run any number of times."""

    def __init__(self, statement: Statement, backend: Reader) -> None:
        self._sql = compile_statement(statement, backend.dialect)
        self._read_datetimes = backend.read_datetimes
        self._datetime_columns = [
            place for place, column in enumerate(statement.exported_columns)
            if isinstance(column.type, UtcDateTime)]  # other types are as drivers return them

    def run(self, cursor: Any, parameters: dict[str, Any]) -> list[Row]:
        """Run the statement with parameters by name and return all rows."""
        values = {**self._sql.defaults, **parameters}
        for name, process in self._sql.bind_processors.items():
            values[name] = process(values[name])
        positions = self._sql.positions
        cursor.execute(self._sql.text,
                       [values[name] for name in positions] if positions else values)
        rows: list[Row] = cursor.fetchall()
        return self._with_datetimes(rows) if rows and self._datetime_columns else rows

    def _with_datetimes(self, rows: list[Row]) -> list[Row]:
        """Return the rows with their datetimes read, one column at a time."""
        columns: list[Any] = list(zip(*rows, strict=True))
        for place in self._datetime_columns:
            columns[place] = self._read_datetimes(columns[place])
        return list(zip(*columns, strict=True))
