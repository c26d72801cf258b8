"""Reading all rows of a store, for `xcom-server export`."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from typing import Any

from sqlalchemy import Connection, Row, Table, bindparam, select

from xcom_server.storage.dags import SeedDag
from xcom_server.storage.models import RunDates, XComEntry
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.sql import defaults, tables
from xcom_server.storage.task_instances import SeedTaskInstance, Try

CHUNK = 1000  # the number of rows that are read at a time

_ENTRIES = (
    select(*map(tables.column_of, [field.name for field in fields(XComEntry)]))
    .join(tables.dag_run, tables.OF_ENTRY)
    .order_by(*tables.xcom.primary_key)
)
_DAGS = select(tables.dag).order_by(tables.dag.c.dag_id)
_RUNS = select(tables.dag_run).order_by(tables.dag_run.c.id)


def _of_run(table: Table) -> list[Any]:
    return [table.c[name] == bindparam(name) for name in ("dag_id", "run_id")]


_INSTANCES = (
    select(tables.task_instance)
    .where(*_of_run(tables.task_instance))
    .order_by(tables.task_instance.c.id)
)
_TRIES = (
    select(tables.task_try).where(*_of_run(tables.task_try)).order_by(tables.task_try.c.try_number)
)
_DAG_DEFAULTS = {
    "is_paused": False,
    "is_stale": False,
    "display_name": None,
    "owners": "airflow",
    "tags": "",
    "next_dagrun": None,
}
_NOT_GIVEN = ("dag_id", "run_id", "task_id", "map_index", "id", "logical_date", "run_after")
_OF_SCRIPT = ("number", "step", "step_at")


def _defaults(table: Table) -> dict[str, Any]:
    """Return the columns of a table that a seed file may give, with their defaults."""
    found = defaults.of_table(table)
    return {name: found[name] for name in found if name not in (*_NOT_GIVEN, *_OF_SCRIPT)}


_RUN_DEFAULTS = _defaults(tables.dag_run)
_INSTANCE_DEFAULTS = _defaults(tables.task_instance)

Logs = dict[tuple[str, int], dict[int, str]]
Tries = dict[tuple[str, int], list[Try]]
Expected = Callable[[Mapping[str, Any]], Mapping[str, Any]]


def entries(connection: Connection) -> Iterator[XComEntry]:
    """Yield every entry, ordered like a list."""
    for row in connection.execution_options(yield_per=CHUNK).execute(_ENTRIES):
        yield XComEntry(*row)


def dags(connection: Connection) -> Iterator[SeedDag]:
    """Yield every DAG, ordered by id."""
    for row in connection.execute(_DAGS).all():
        stored = row._mapping
        given = {
            name: stored[name] for name in _DAG_DEFAULTS if stored[name] != _DAG_DEFAULTS[name]
        }
        given |= {"version_id": row.version_id, "created_at": row.created_at}
        yield SeedDag("", row.dag_id, given, json.loads(row.definition), row.script)


def runs(connection: Connection) -> Iterator[SeedRun]:
    """Yield every DAG run with its task instances, in the order of insertion."""
    tasks = {
        dag.dag_id: defaults.of_tasks(dag.definition.get("tasks", [])) for dag in dags(connection)
    }
    for row in connection.execute(_RUNS).all():
        dates = RunDates(row.logical_date, row.run_after)
        expected = partial(defaults.of_run, row.run_id, dates)
        yield SeedRun(
            "",
            row.dag_id,
            row.run_id,
            *dates,
            _instances(connection, row, tasks[row.dag_id]),
            _given(row, _RUN_DEFAULTS, expected),
        )


def _instances(
    connection: Connection, run: Row[Any], of_tasks: Mapping[str, Mapping[str, Any]]
) -> list[SeedTaskInstance]:
    key = {"dag_id": run.dag_id, "run_id": run.run_id}
    logs, tries = _tries(connection, key)
    found = []
    for row in connection.execute(_INSTANCES, key):
        constants = {**_INSTANCE_DEFAULTS, **of_tasks.get(row.task_id, {})}
        expected = partial(defaults.of_instance, row.map_index, run.run_after)
        fields = {"id": row.id, **_given(row, constants, expected)}
        task = (row.task_id, row.map_index)
        found.append(SeedTaskInstance(*task, fields, logs.get(task, {}), tries.get(task, [])))
    return found


def _tries(connection: Connection, key: dict[str, str]) -> tuple[Logs, Tries]:
    """Return the logs and the older tries of a run's task instances."""
    logs: Logs = {}
    tries: Tries = {}
    for row in connection.execute(_TRIES, key):
        task = (row.task_id, row.map_index)
        if row.log is not None:
            logs.setdefault(task, {})[row.try_number] = row.log
        if row.record is not None:
            tries.setdefault(task, []).append(Try(row.try_number, row.record))
    return logs, tries


def _given(row: Row[Any], constants: Mapping[str, Any], expected: Expected) -> dict[str, Any]:
    """Return the columns of a row without those that it would have anyway.

    `expected` returns the defaults for given columns; the two dates are given both or not at all.
    """
    stored = row._mapping
    state = {"state": row.state}
    dates = {name: stored[name] for name in ("start_date", "end_date")}
    by_state = expected(state)
    if all(by_state[name] == date for name, date in dates.items()):
        dates = {}
    others = {**constants, **expected(state | dates), **dates}
    return dates | {name: stored[name] for name in constants if stored[name] != others[name]}
