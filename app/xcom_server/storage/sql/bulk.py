"""Whole data sets into the store and out of it: `xcom-server seed` and `xcom-server export`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, func, select

from xcom_server.errors import NameTooLong
from xcom_server.seed_file import InvalidSeedFile, SeedEntry, SeedRow, SeedRun
from xcom_server.storage.database.executor import Database
from xcom_server.storage.models import RunDates, XComKey
from xcom_server.storage.sql import parents
from xcom_server.storage.sql.listing import named
from xcom_server.storage.sql.statements import NAMES
from xcom_server.storage.sql.store import new_version, require_indexable
from xcom_server.storage.sql.tables import dag_run, task_instance, xcom
from xcom_server.storage.sql.upsert import upsert

CHUNK = 1000
"""How many entries go to the database at a time."""


def write(engine: Engine, rows: Sequence[SeedRow],
          advance: Callable[[int], None] = lambda count: None) -> None:
    """Store all rows in one transaction; an entry that is stored already is replaced.

    Calls `advance` with how many rows were stored since the last call. Raises InvalidSeedFile, with
    nothing stored, for a row that contradicts what is stored or another row, and Unavailable.
    """
    def load(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":  # two that load the same rows would deadlock
            connection.execute(select(func.pg_advisory_xact_lock(func.hashtext("xcom seed"))))
        loader = _Loader(connection)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            loader.store(chunk)
            advance(len(chunk))

    Database(engine).write(load)


def export_entries(engine: Engine) -> Iterator[dict[str, Any]]:
    """Yield every entry as a row that `read` takes, in the order of lists."""
    query = (select(xcom, dag_run.c.logical_date).join(dag_run, parents.OF_ENTRY)
             .order_by(*xcom.primary_key.columns))
    with engine.connect() as connection:
        for row in connection.execution_options(yield_per=CHUNK).execute(query):
            yield {"dag_id": row.dag_id, "run_id": row.run_id,
                   "logical_date": _shown(row.logical_date), "task_id": row.task_id,
                   "map_index": row.map_index, "key": row.key, "stored": row.value,
                   "timestamp": _shown(row.timestamp)}


def export_runs(engine: Engine) -> Iterator[dict[str, Any]]:
    """Yield every DAG run with its task instances, as a row that `read` takes."""
    instances = select(task_instance.c.task_id, task_instance.c.map_index).where(
        task_instance.c.dag_id == bindparam("dag_id"),
        task_instance.c.run_id == bindparam("run_id")).order_by(*task_instance.primary_key.columns)
    with engine.connect() as connection:
        for run in connection.execute(select(dag_run).order_by(*dag_run.primary_key.columns)).all():
            found = connection.execute(instances, {"dag_id": run.dag_id, "run_id": run.run_id})
            yield {"dag_id": run.dag_id, "run_id": run.run_id,
                   "logical_date": _shown(run.logical_date), "run_after": _shown(run.run_after),
                   "task_instances": [instance._asdict() for instance in found]}


_TIMESTAMP = select(xcom.c.timestamp).where(*named(NAMES))


class _Loader:
    """Stores rows over one connection, and remembers what it has seen of them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._now = datetime.now(UTC)
        self._places: dict[XComKey, str] = {}
        self._dates: dict[tuple[object, ...], datetime | None] = {}

    def store(self, rows: Sequence[SeedRow]) -> None:
        for row in rows:
            if isinstance(row, SeedRun):
                self._register_run(row)
            else:
                self._register_entry(row)
        if entries := [row for row in rows if isinstance(row, SeedEntry)]:
            self._replace(entries)

    def _register_run(self, run: SeedRun) -> None:
        stored = parents.ensure_run(self._connection, run.dag_id, run.run_id,
                                 RunDates(run.logical_date, run.run_after))
        _refuse_mismatch(run, stored.logical_date)
        for task_id, map_index in run.task_instances:
            parents.ensure(self._connection, XComKey(run.dag_id, run.run_id, task_id, map_index, ""),
                        self._now)

    def _register_entry(self, row: SeedEntry) -> None:
        twin = self._places.setdefault(row.name, row.place)
        if twin != row.place:
            raise InvalidSeedFile(f"{row.place}: has the same name as {twin}")
        try:
            require_indexable(row.name)
        except NameTooLong as error:
            raise InvalidSeedFile(f"{row.place}: its names are {error.size} bytes together,"
                          f" more than {error.limit}") from None
        instance = astuple(row.name)[:-1]
        if instance not in self._dates:
            dates = parents.ensure(self._connection, row.name, row.logical_date or self._now)
            self._dates[instance] = dates.logical_date
        _refuse_mismatch(row, self._dates[instance])

    def _replace(self, entries: Sequence[SeedEntry]) -> None:
        """Put entries in the place of those stored; one without a timestamp keeps the stored."""
        upsert(self._connection, xcom, [
            {**asdict(row.name), "value": row.value, "version": new_version(),
             "timestamp": row.timestamp or self._stored_timestamp(row.name) or self._now}
            for row in entries])

    def _stored_timestamp(self, name: XComKey) -> datetime | None:
        return self._connection.execute(_TIMESTAMP, asdict(name)).scalar()


def _refuse_mismatch(row: SeedRow, stored: datetime | None) -> None:
    if row.logical_date not in (None, stored):
        raise InvalidSeedFile(f"{row.place}: logical_date is not the one its DAG run has,"
                      f" {_shown(stored)}")


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
