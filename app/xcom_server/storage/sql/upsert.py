"""Inserts that a row with the same primary key cannot fail, in one statement each."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table, literal

from xcom_server.storage.database.backend import Backend


def insert_or_ignore(backend: Backend, connection: Connection, table: Table,
                     row: dict[str, Any]) -> bool:
    """Insert a row unless its primary key is taken; return whether it was inserted.

    Waits for another transaction that is inserting the same key.
    """
    statement = backend.insert(table).on_conflict_do_nothing().returning(literal(1))
    return connection.execute(statement.values(row)).first() is not None


def upsert(backend: Backend, connection: Connection, table: Table,
           rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, or update the rows that have their primary keys."""
    statement = backend.insert(table)
    others = {column.key: statement.excluded[column.key]
              for column in table.columns if not column.primary_key}
    connection.execute(statement.on_conflict_do_update(
        index_elements=list(table.primary_key), set_=others), list(rows))
