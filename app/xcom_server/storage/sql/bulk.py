"""Bulk loading of seed files in one transaction, for `xcom-server seed`."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, select

from xcom_server import clock
from xcom_server.errors import NameTooLong, SeedConflict
from xcom_server.scripts.validation import named_tasks
from xcom_server.storage.dags import SeedDag
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import RunDates, SeedEntry, XComKey
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.sql import bulk_runs, dag_rows, parents, statements, tables
from xcom_server.storage.store import SeedRow

CHUNK = 1000  # the number of rows that are processed at a time

_TIMESTAMP = select(tables.xcom.c.timestamp).where(
    *statements.equal_to_parameters(tables.KEY_COLUMNS)
)


def load(
    backend: Backend,
    connection: Connection,
    rows: Sequence[SeedRow],
    advance: Callable[[int], None],
) -> None:
    """Store rows in the transaction of a connection, as XComStore.load describes."""
    backend.transaction_lock(connection, "xcom seed")  # two loads of the same rows could deadlock
    loader = _Loader(backend, connection)
    for number, start in enumerate(range(0, len(rows), CHUNK), 1):
        chunk = rows[start : start + CHUNK]
        loader.store(chunk)
        advance(len(chunk))
        if number & (number - 1) == 0 and len(rows) > CHUNK:  # 1, 2, 4, 8 …: the size has doubled
            backend.analyze(connection, tables.metadata.tables)
    loader.finish()


def clear(backend: Backend, connection: Connection) -> None:
    """Remove all rows, while no other transaction can write."""
    backend.lock_tables(connection, tables.metadata.tables)
    for table in reversed(tables.metadata.sorted_tables):
        connection.execute(table.delete())


class _Loader:
    """Stores rows over one connection, and detects duplicate and conflicting ones."""

    def __init__(self, backend: Backend, connection: Connection) -> None:
        self._backend = backend
        self._connection = connection
        self._now = clock.now()
        self._places: dict[XComKey | str, str] = {}
        self._logical_dates: dict[XComKey, datetime | None] = {}
        self._runs = bulk_runs.RunLoader(backend, connection, self._now)

    def store(self, rows: Sequence[SeedRow]) -> None:
        """Store rows in their order."""
        for _, group in groupby(rows, key=type):
            same = [*group]
            self._store_dags([row for row in same if isinstance(row, SeedDag)])
            self._runs.store([row for row in same if isinstance(row, SeedRun)])
            self._store_entries([row for row in same if isinstance(row, SeedEntry)])

    def finish(self) -> None:
        """Complete the rows of the DAGs."""
        self._runs.finish()

    def _store_dags(self, dags: Sequence[SeedDag]) -> None:
        """Upsert DAGs; the fields of a row replace stored ones."""
        for row in dags:
            self._refuse_duplicate(row.place, row.dag_id)
            dag_rows.register(self._backend, self._connection, row.dag_id)
            fields: dict[str, Any] = {**row.fields}
            if row.script is not None:
                fields["script"] = row.script
            if row.definition or row.script is not None:
                definition = dag_rows.definition(self._connection, row.dag_id) | row.definition
                if named := named_tasks(dag_rows.parsed(row.script)):
                    definition.setdefault("tasks", named)
                fields["definition"] = json.dumps(definition, ensure_ascii=False)
            if fields:
                self._connection.execute(
                    tables.dag.update().where(tables.dag.c.dag_id == row.dag_id).values(fields)
                )

    def _store_entries(self, entries: Sequence[SeedEntry]) -> None:
        for row in entries:
            self._register(row)
        if entries:
            self._replace(entries)

    def _register(self, row: SeedEntry) -> None:
        """Register the DAG run and the task instance of an entry."""
        self._refuse_duplicate(row.place, row.key)
        try:
            statements.require_indexable(row.key)
        except NameTooLong as error:
            raise SeedConflict(f"{row.place}: {error}") from None
        instance = replace(row.key, key="")
        if instance not in self._logical_dates:
            dates = self._dates(row.key, row.logical_date or self._now)
            self._logical_dates[instance] = dates.logical_date
        bulk_runs.require_same_date(row, self._logical_dates[instance])

    def _refuse_duplicate(self, place: str, key: XComKey | str) -> None:
        first = self._places.setdefault(key, place)
        if first != place:
            raise SeedConflict(f"{place}: duplicate of {first}")

    def _dates(self, key: XComKey, default: datetime) -> RunDates:
        return parents.get_or_create(self._backend, self._connection, key, default)

    def _replace(self, entries: Sequence[SeedEntry]) -> None:
        """Upsert entries; an entry without a timestamp keeps its stored one."""
        self._backend.upsert(
            self._connection,
            tables.xcom,
            [
                {
                    **asdict(row.key),
                    "value": row.value,
                    "etag": statements.new_etag(),
                    "timestamp": row.timestamp or self._stored_timestamp(row.key) or self._now,
                }
                for row in entries
            ],
        )

    def _stored_timestamp(self, key: XComKey) -> datetime | None:
        return self._connection.execute(_TIMESTAMP, asdict(key)).scalar()
