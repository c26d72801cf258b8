"""Whole data sets into the store and out of it: `xcom-server seed` and `xcom-server export`."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, astuple
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Engine, bindparam, select

from app.storage import runs
from app.storage.engine import for_writing
from app.storage.entry import XComKey
from app.storage.seed_file import BadSeed, SeedEntry, SeedRow, SeedRun
from app.storage.tables import dag_run, task_instance, xcom

CHUNK = 1000
"""How many entries go to the database at a time."""


def write(engine: Engine, rows: Sequence[SeedRow],
          advance: Callable[[int], None] = lambda count: None) -> None:
    """Store all rows in one transaction; an entry that is stored already is replaced.

    Calls `advance` with how many rows were stored since the last call. Raises BadSeed, with
    nothing stored, for a row that contradicts what is stored or another row.
    """
    with for_writing(engine).begin() as connection:
        loader = _Loader(connection)
        for start in range(0, len(rows), CHUNK):
            chunk = rows[start : start + CHUNK]
            loader.store(start, chunk)
            advance(len(chunk))


def export_entries(engine: Engine) -> Iterator[dict[str, Any]]:
    """Yield every entry as a row that `read` takes, in the order of lists."""
    query = (select(xcom, dag_run.c.logical_date)
             .join(dag_run, (dag_run.c.dag_id == xcom.c.dag_id)
                   & (dag_run.c.run_id == xcom.c.run_id))
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


class _Loader:
    """Stores rows over one connection, and remembers what it has seen of the file."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._names: dict[XComKey, int] = {}
        self._dates: dict[tuple[object, ...], datetime | None] = {}

    def store(self, start: int, rows: Sequence[SeedRow]) -> None:
        entries = []
        for number, row in enumerate(rows, start + 1):
            if isinstance(row, SeedRun):
                self._register_run(number, row)
            else:
                self._register_entry(number, row)
                entries.append(row)
        if entries:
            self._replace(entries)

    def _register_run(self, number: int, run: SeedRun) -> None:
        stored = runs.ensure_run(self._connection, run.dag_id, run.run_id,
                                 runs.RunDates(run.logical_date, run.run_after)).logical_date
        _refuse_mismatch(f"DAG run {number}", run.logical_date, stored)
        for task_id, map_index in run.task_instances:
            runs.ensure(self._connection, XComKey(run.dag_id, run.run_id, task_id, map_index, ""),
                        run.logical_date)

    def _register_entry(self, number: int, row: SeedEntry) -> None:
        name = row.name
        twin = self._names.setdefault(name, number)
        if twin != number:
            raise BadSeed(f"entry {number}: has the same name as entry {twin}")
        instance = astuple(name)[:-1]
        if instance not in self._dates:
            self._dates[instance] = runs.ensure(
                self._connection, name, row.logical_date).logical_date
        _refuse_mismatch(f"entry {number}", row.logical_date, self._dates[instance])

    def _replace(self, entries: Sequence[SeedEntry]) -> None:
        now = datetime.now(UTC)
        names = [asdict(row.name) for row in entries]
        self._connection.execute(
            xcom.delete().where(*(xcom.c[column] == bindparam(f"old_{column}")
                                  for column in names[0])),
            [{f"old_{column}": value for column, value in name.items()} for name in names])
        self._connection.execute(xcom.insert(), [
            {**name, "value": row.value, "timestamp": row.timestamp or now}
            for name, row in zip(names, entries, strict=True)])


def _refuse_mismatch(row: str, given: datetime | None, stored: datetime | None) -> None:
    if given is not None and given != stored:
        raise BadSeed(f"{row}: logical_date is not the one its DAG run has, {_shown(stored)}")


def _shown(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
