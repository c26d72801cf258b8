"""The implementation of SnapshotStore for SQL databases.

The rows of a snapshot are in tables of its own, one for each table of the store, which no migration
changes.  The snapshot therefore has the revision of the schema, and can only be restored with it.
"""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Row, delete, insert, select

from xcom_server import clock, errors
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.sqlalchemy_adapter import UtcDateTime
from xcom_server.storage.snapshots import MAX_SNAPSHOTS, Snapshot, SnapshotStore
from xcom_server.storage.sql import bulk, schema, tables

_MANY = 1000  # rows of a table from which statistics are updated

metadata = sa.MetaData()
_snapshot = sa.Table(
    "emulator_snapshot",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("revision", sa.Text, nullable=False),
    sa.Column("created_at", UtcDateTime, nullable=False),
    *(sa.Column(name, sa.Integer, nullable=False) for name in ("dags", "dag_runs", "entries")),
    sqlite_autoincrement=True,
)
_COUNTED = {"dags": tables.dag, "dag_runs": tables.dag_run, "entries": tables.xcom}


class SqlSnapshotStore(SnapshotStore):
    """A SnapshotStore in the database of an executor; SnapshotStore documents the methods."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._backend = executor.backend

    def prepare(self) -> None:
        """Create the table; several processes may do so at the same time."""

        def work(connection: Connection) -> None:
            self._backend.transaction_lock(connection, "xcom-server snapshots")
            metadata.create_all(connection)

        try:
            self._executor.transaction(work)
        finally:
            if not self._backend.is_in_memory:
                self._backend.close()

    def list(self) -> Sequence[Snapshot]:
        """Return all snapshots."""
        query = select(*(_snapshot.c[name] for name in Snapshot._fields)).order_by(_snapshot.c.name)
        with self._executor.unavailable_on_fault(), self._backend.engine.connect() as connection:
            return [Snapshot._make(row) for row in connection.execute(query)]

    def save(self, name: str) -> tuple[Snapshot, bool]:
        """Copy all tables of the store."""

        def work(connection: Connection) -> tuple[Snapshot, bool]:
            self._backend.lock_tables(connection, tables.metadata.tables)
            old = _find(connection, name)
            if old is not None:
                _delete(connection, old)
            elif _count(connection, _snapshot) >= MAX_SNAPSHOTS:
                raise errors.TooManySnapshots(MAX_SNAPSHOTS)
            counts = {each: _count(connection, table) for each, table in _COUNTED.items()}
            snapshot = Snapshot(name, clock.now(), **counts)
            row = {"revision": schema.HEAD, **snapshot._asdict()}
            number = connection.execute(
                insert(_snapshot).values(row).returning(_snapshot.c.number)
            ).scalar_one()
            for table in tables.metadata.sorted_tables:
                connection.execute(_copy_to_snapshot(connection, table, number))
            return snapshot, old is None

        return self._executor.transaction(work)

    def restore(self, name: str) -> Snapshot:
        """Replace the rows of all tables of the store."""

        def work(connection: Connection) -> Snapshot:
            self._backend.lock_tables(connection, tables.metadata.tables)
            row = _found(connection, name)
            if row.revision != schema.HEAD:
                raise errors.SnapshotOutdated(name, row.revision, schema.HEAD)
            bulk.clear(self._backend, connection)
            for table in tables.metadata.sorted_tables:  # a table after those that it refers to
                copied = connection.execute(_copy_to_store(connection, table, row.number))
                if copied.rowcount >= _MANY:
                    self._backend.analyze(connection, [table.name])
            return Snapshot._make(getattr(row, each) for each in Snapshot._fields)

        return self._executor.transaction(work)

    def delete(self, name: str) -> None:
        """Delete a snapshot and its tables."""

        def work(connection: Connection) -> None:
            self._backend.lock_tables(connection, tables.metadata.tables)
            _delete(connection, _found(connection, name))

        self._executor.transaction(work)


def _find(connection: Connection, name: str) -> Row[Any] | None:
    return connection.execute(select(_snapshot).where(_snapshot.c.name == name)).one_or_none()


def _found(connection: Connection, name: str) -> Row[Any]:
    row = _find(connection, name)
    if row is None:
        raise errors.SnapshotNotFound(name)
    return row


def _delete(connection: Connection, row: Row[Any]) -> None:
    """Drop the tables of a snapshot, which may be those of an older schema."""
    prefix = _name_of_copy(row.number, "")
    for name in sa.inspect(connection).get_table_names():
        if name.startswith(prefix):
            connection.execute(sa.text(f"DROP TABLE {name}"))
    connection.execute(delete(_snapshot).where(_snapshot.c.number == row.number))


def _count(connection: Connection, table: sa.Table) -> int:
    return connection.execute(select(sa.func.count()).select_from(table)).scalar_one()


def _name_of_copy(number: int, table: str) -> str:
    return f"emulator_snapshot_{number}_{table}"


def _columns(connection: Connection, table: sa.Table) -> str:
    quote = connection.dialect.identifier_preparer.quote
    return ", ".join(quote(column.name) for column in table.columns)


def _copy_to_snapshot(connection: Connection, table: sa.Table, number: int) -> sa.TextClause:
    columns, copy = _columns(connection, table), _name_of_copy(number, table.name)
    return sa.text(f"CREATE TABLE {copy} AS SELECT {columns} FROM {table.name}")


def _copy_to_store(connection: Connection, table: sa.Table, number: int) -> sa.TextClause:
    columns, copy = _columns(connection, table), _name_of_copy(number, table.name)
    return sa.text(f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM {copy}")
