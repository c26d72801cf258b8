"""Inserts that a row of the same name cannot fail: the database decides, in one statement."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Dialect, Table, literal
from sqlalchemy.dialects import postgresql, sqlite


def insert_or_ignore(connection: Connection, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row, or leave the one of its name alone; returns whether it was inserted.

    Another transaction that is inserting the same name is waited for.
    """
    statement = inserting(connection.dialect, table).on_conflict_do_nothing().returning(literal(1))
    return connection.execute(statement.values(row)).first() is not None


def upsert(connection: Connection, table: Table,
                      rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each in the place of the one of its name."""
    statement = inserting(connection.dialect, table)
    others = {column.name: statement.excluded[column.name]
              for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=others), list(rows))


def inserting(dialect: Dialect, table: Table) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that can say what happens on a conflict."""
    return (postgresql.insert if dialect.name == "postgresql" else sqlite.insert)(table)
