"""Bulk loading of entries and DAG runs in one transaction, for `xcom-server seed`."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, fields, replace
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, select

from xcom_server.errors import NameTooLong, SeedConflict
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import RunDates, SeedEntry, XComEntry, XComKey
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.sql import parents, statements, tables
from xcom_server.storage.store import SeedRow

CHUNK = 1000  # the number of rows that are processed at a time

# All entries with the columns of XComEntry, all DAG runs, and the task instances of one DAG run.
ENTRIES = (
    select(*map(tables.column_of, [field.name for field in fields(XComEntry)]))
    .join(tables.dag_run, tables.OF_ENTRY)
    .order_by(*tables.xcom.primary_key)
)
RUNS = select(tables.dag_run).order_by(*tables.dag_run.primary_key)
INSTANCES = (
    select(tables.task_instance.c.task_id, tables.task_instance.c.map_index)
    .where(
        tables.task_instance.c.dag_id == bindparam("dag_id"),
        tables.task_instance.c.run_id == bindparam("run_id"),
    )
    .order_by(*tables.task_instance.primary_key)
)
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
    for start in range(0, len(rows), CHUNK):
        chunk = rows[start : start + CHUNK]
        loader.store(chunk)
        advance(len(chunk))


class _Loader:
    """Stores rows over one connection, and detects duplicate and conflicting ones."""

    def __init__(self, backend: Backend, connection: Connection) -> None:
        self._backend = backend
        self._connection = connection
        self._now = datetime.now(UTC)
        self._places: dict[XComKey, str] = {}
        self._logical_dates: dict[XComKey, datetime | None] = {}

    def store(self, rows: Sequence[SeedRow]) -> None:
        for row in rows:
            if isinstance(row, SeedRun):
                self._register_run(row)
            elif isinstance(row, SeedEntry):
                self._register_entry(row)
        if entries := [row for row in rows if isinstance(row, SeedEntry)]:
            self._replace(entries)

    def _register_run(self, run: SeedRun) -> None:
        dates = parents.get_or_create_run(
            self._backend,
            self._connection,
            run.dag_id,
            run.run_id,
            RunDates(run.logical_date, run.run_after),
        )
        _require_same_date(run, dates.logical_date)
        for each in run.task_instances:
            key = XComKey(run.dag_id, run.run_id, each.task_id, each.map_index, "")
            self._register(key, self._now)

    def _register_entry(self, row: SeedEntry) -> None:
        first = self._places.setdefault(row.key, row.place)
        if first != row.place:
            raise SeedConflict(f"{row.place}: duplicate of {first}")
        try:
            statements.require_indexable(row.key)
        except NameTooLong as error:
            raise SeedConflict(f"{row.place}: {error}") from None
        instance = replace(row.key, key="")
        if instance not in self._logical_dates:
            dates = self._register(row.key, row.logical_date or self._now)
            self._logical_dates[instance] = dates.logical_date
        _require_same_date(row, self._logical_dates[instance])

    def _register(self, key: XComKey, default: datetime) -> RunDates:
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


def _require_same_date(row: SeedRun | SeedEntry, stored: datetime | None) -> None:
    if row.logical_date not in (None, stored):
        date = stored.isoformat() if stored else None
        raise SeedConflict(f"{row.place}: logical_date differs from that of its DAG run, {date}")
