"""Statements that are built and compiled once, and run on the driver's own cursor.

SQLAlchemy builds each and knows how its database stores every type.  What it would do again at
every execution takes several times as long as the database does for one entry.
"""

from functools import partial
from typing import Any

from sqlalchemy import Dialect, Select
from sqlalchemy.sql.dml import ReturningDelete, ReturningInsert, ReturningUpdate

from xcom_server.storage.sql.tables import UtcDateTime

Statement = (Select[Any] | ReturningInsert[Any] | ReturningUpdate[Any] | ReturningDelete[Any])


class CompiledStatement:
    """A statement for one kind of database, that can be run any number of times."""

    def __init__(self, statement: Statement, dialect: Dialect) -> None:
        compiled = statement.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        self._text = str(compiled)
        self._order = compiled.positiontup
        self._fixed = compiled.params
        self._in = {name: process for bind, name in compiled.bind_names.items()
                    if (process := bind.type.dialect_impl(dialect).bind_processor(dialect))}
        self._out = [(place, partial(column.type.column, dialect))
                     for place, column in enumerate(statement.exported_columns)
                     if isinstance(column.type, UtcDateTime)]  # the others are as drivers give them

    def rows(self, cursor: Any, given: dict[str, Any]) -> list[tuple[Any, ...]]:
        """Run the statement with these values, by the names of its parameters; return all rows."""
        values = {**self._fixed, **given}
        for name, process in self._in.items():
            values[name] = process(values[name])
        cursor.execute(self._text,
                       [values[name] for name in self._order] if self._order else values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
        return self._processed(rows) if rows and self._out else rows

    def _processed(self, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
        """Return the rows with the values that Python has for them, a column at a time."""
        columns: list[Any] = list(zip(*rows, strict=True))
        for place, process in self._out:
            columns[place] = process(columns[place])
        return list(zip(*columns, strict=True))
