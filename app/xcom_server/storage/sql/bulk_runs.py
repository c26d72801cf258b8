"""Bulk loading of DAG runs with their task instances, tries and logs."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, bindparam, func, select, update

from xcom_server import clock
from xcom_server.errors import NameTooLong, SeedConflict
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import RunDates, SeedEntry, XComKey
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.sql import dag_rows, defaults, statements
from xcom_server.storage.sql.tables import dag, dag_run, task_instance, task_try
from xcom_server.storage.task_instances import SeedTaskInstance

Columns = dict[str, Any]
RunKey = tuple[str, str]

_STORED = select(dag_run.c.run_id, dag_run.c.logical_date, dag_run.c.run_after).where(
    dag_run.c.dag_id == bindparam("dag_id"),
    dag_run.c.run_id.in_(bindparam("run_ids", expanding=True)),
)


class _Row(NamedTuple):
    """A row to insert: its columns, and those of them that replace the stored ones."""

    columns: Columns
    given: Columns


class RunLoader:
    """Stores DAG runs over one connection."""

    def __init__(self, backend: Backend, connection: Connection, now: datetime) -> None:
        self._backend = backend
        self._connection = connection
        self._now = now
        self._dag_ids: set[str] = set()

    def store(self, runs: Sequence[SeedRun]) -> None:
        """Upsert DAG runs and their task instances; the fields of a row replace stored ones."""
        dates = self._stored_dates(runs)
        of_tasks = {dag_id: self._of_tasks(dag_id) for dag_id in {run.dag_id for run in runs}}
        rows: dict[RunKey, _Row] = {}
        instances: dict[tuple[Any, ...], _Row] = {}
        tries: dict[tuple[Any, ...], _Row] = {}
        for run in runs:
            stored = dates.setdefault(
                (run.dag_id, run.run_id), RunDates(run.logical_date, run.run_after)
            )
            require_same_date(run, stored.logical_date)
            _add(rows, (run.dag_id, run.run_id), _run(run, stored))
            for each in run.task_instances:
                _require_indexable(run, each)
                key = (run.dag_id, run.run_id, each.task_id, each.map_index)
                known = of_tasks[run.dag_id].get(each.task_id, {})
                _add(instances, key, _instance(key, each, stored.run_after, known))
                for number, columns in _tries(each).items():
                    _add(tries, (*key, number), _try((*key, number), columns))
        self._upsert(dag_run, rows.values())
        self._upsert(task_instance, instances.values())
        self._upsert(task_try, tries.values())

    def finish(self) -> None:
        """Count the runs and task instances of the DAGs of the runs."""
        for dag_id in sorted(self._dag_ids):
            self._connection.execute(
                update(dag)
                .where(dag.c.dag_id == dag_id)
                .values(
                    {
                        dag.c.runs: _count(dag_run, dag_id),
                        dag.c.task_instances: _count(task_instance, dag_id),
                    }
                )
            )

    def _stored_dates(self, runs: Sequence[SeedRun]) -> dict[RunKey, RunDates]:
        """Register and lock the DAGs of runs; return the dates of those runs that are stored."""
        by_dag: dict[str, list[str]] = {}
        for run in runs:
            by_dag.setdefault(run.dag_id, []).append(run.run_id)
        found = {}
        for dag_id, run_ids in by_dag.items():
            if dag_id not in self._dag_ids:
                dag_rows.register(self._backend, self._connection, dag_id)
                self._dag_ids.add(dag_id)
            parameters = {"dag_id": dag_id, "run_ids": run_ids}
            for row in self._connection.execute(_STORED, parameters):
                found[dag_id, row.run_id] = RunDates(row.logical_date, row.run_after)
        return found

    def _of_tasks(self, dag_id: str) -> dict[str, Columns]:
        definition = dag_rows.definition(self._connection, dag_id)
        return defaults.of_tasks(definition.get("tasks", []))

    def _upsert(self, table: Table, rows: Iterable[_Row]) -> None:
        """Upsert rows, those with the same columns in one statement."""
        groups: dict[tuple[frozenset[str], frozenset[str]], list[Columns]] = {}
        for row in rows:
            names = frozenset(row.given), frozenset(row.columns)
            groups.setdefault(names, []).append(row.columns)
        for (given, _), columns in groups.items():
            self._backend.upsert(self._connection, table, columns, given)


def require_same_date(row: SeedRun | SeedEntry, stored: datetime | None) -> None:
    """Raise SeedConflict if a row has another logical date than its stored DAG run."""
    if row.logical_date not in (None, stored):
        date = stored.isoformat() if stored else None
        raise SeedConflict(f"{row.place}: logical_date differs from that of its DAG run, {date}")


def _add(rows: dict[Any, _Row], key: Any, row: _Row) -> None:
    """Add a row; the fields of a later row for the same key replace those of an earlier one."""
    if key in rows:
        first = rows[key]
        row = _Row(first.columns | row.given, first.given | row.given)
    rows[key] = row


def _run(run: SeedRun, dates: RunDates) -> _Row:
    # A run whose state is given does not change by itself, even if it was triggered.
    still = {"step": None, "step_at": None} if "state" in run.fields else {}
    given = run.fields | still
    key = {"dag_id": run.dag_id, "run_id": run.run_id, "id": clock.new_id()}
    return _Row({**key, **defaults.of_run(run.run_id, dates, run.fields), **given}, given)


def _instance(
    key: tuple[str, str, str, int],
    instance: SeedTaskInstance,
    run_after: datetime,
    of_task: Columns,
) -> _Row:
    dag_id, run_id, task_id, map_index = key
    columns = {
        "dag_id": dag_id,
        "run_id": run_id,
        "task_id": task_id,
        "map_index": map_index,
        "id": clock.new_id(),
        **of_task,
        **defaults.of_instance(map_index, run_after, instance.fields),
        **instance.fields,
    }
    return _Row(columns, instance.fields)


def _tries(instance: SeedTaskInstance) -> dict[int, Columns]:
    """Return the columns of the tries of a task instance that have a record or a log."""
    found: dict[int, Columns] = {
        each.try_number: {"record": each.record} for each in instance.tries
    }
    for number, text in instance.logs.items():
        found.setdefault(number, {})["log"] = text
    return found


def _try(key: tuple[str, str, str, int, int], given: Columns) -> _Row:
    names = ("dag_id", "run_id", "task_id", "map_index", "try_number")
    return _Row({**dict(zip(names, key, strict=True)), "record": None, "log": None, **given}, given)


def _require_indexable(run: SeedRun, instance: SeedTaskInstance) -> None:
    key = XComKey(run.dag_id, run.run_id, instance.task_id, instance.map_index, "")
    try:
        statements.require_indexable(key)
    except NameTooLong as error:
        raise SeedConflict(f"{run.place}: {error}") from None


def _count(table: Table, dag_id: str) -> Any:
    return select(func.count()).select_from(table).where(table.c.dag_id == dag_id).scalar_subquery()
