"""Storing a triggered run with its task instances."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, false, insert, select, update

from xcom_server import clock, errors
from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.scripts.plans import Plan, plan
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import MAX_ID_LENGTH
from xcom_server.storage.queries import WILDCARD
from xcom_server.storage.runs import DagRun, NewRun
from xcom_server.storage.sql import dag_rows, defaults, steps
from xcom_server.storage.sql.tables import dag, dag_run, task_instance
from xcom_server.task_graph import Task


def require_valid_ids(run: NewRun) -> None:
    """Raise DagNotFound or RunNotFound for an id that cannot be stored."""
    if run.dag_id == WILDCARD or len(run.dag_id) > MAX_ID_LENGTH:
        raise errors.DagNotFound(run.dag_id)
    if len(run.run_id) > MAX_ID_LENGTH:
        raise errors.RunNotFound(run.dag_id, run.run_id)


def trigger(backend: Backend, connection: Connection, run: NewRun, *, require_dag: bool) -> DagRun:
    """Store a queued run with its task instances, and return it.

    Raises DagNotFound for a stale DAG, and for an unknown one if it is required; RunExists.
    """
    if not require_dag:
        dag_rows.register(backend, connection, run.dag_id)
    owner = _counted(connection, run)
    require_new(connection, run)
    tasks = _tasks(connection, owner)
    plan_ = plan(dag_rows.parsed(owner.script), tasks, owner.triggered)
    now = clock.now()
    columns = {
        "queued_at": now,
        "state": "queued",
        "run_type": "manual",
        "number": owner.triggered,
        **steps.first_step(plan_, now),
    }
    connection.execute(insert(dag_run).values(**vars(run), **columns, updated_at=now))
    rows = [*_instances(run, tasks, plan_, now)] if _has_started(owner, run) else []
    if rows:
        connection.execute(insert(task_instance), rows)
    dag_rows.count(connection, run.dag_id, runs=1, task_instances=len(rows))
    return _record(run, owner, {**columns, "has_task_instances": bool(rows)})


def _counted(connection: Connection, run: NewRun) -> Row[Any]:
    """Return the row of the DAG, locked, with the number of the run."""
    row = connection.execute(
        update(dag)
        .where(dag.c.dag_id == run.dag_id, dag.c.is_stale.is_(False))
        .values(triggered=dag.c.triggered + 1)
        .returning(*dag.c)
    ).one_or_none()
    if row is None:
        raise errors.DagNotFound(run.dag_id)
    return row


def require_new(connection: Connection, run: NewRun) -> None:
    """Raise RunExists if the DAG has a run with the same id or logical date."""
    has_id = false() if "\0" in run.run_id else dag_run.c.run_id == run.run_id
    has_date = false() if run.logical_date is None else dag_run.c.logical_date == run.logical_date
    same_id, same_date, same_both = connection.execute(
        select(_exists(run, has_id), _exists(run, has_date), _exists(run, has_id, has_date))
    ).one()
    if same_id or same_date:
        by_date = bool(same_both or not same_id)
        raise errors.RunExists(run.dag_id, run.run_id, by_date=by_date)


def _exists(run: NewRun, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return select(dag_run.c.run_id).where(dag_run.c.dag_id == run.dag_id, *conditions).exists()


def _has_started(owner: Row[Any], run: NewRun) -> bool:
    """Return whether the DAG has started at the run's date; an earlier run has no tasks."""
    text = json.loads(owner.definition).get("start_date")
    return not text or run.logical_date is None or run.logical_date >= parse_rfc3339(text)


def _tasks(connection: Connection, owner: Row[Any]) -> list[Task]:
    """Return the tasks of a DAG; one without a definition has the tasks of its other runs."""
    return dag_rows.tasks(
        owner.definition, lambda: dag_rows.tasks_with_instances(connection, owner.dag_id)
    )


def _instances(
    run: NewRun, tasks: Sequence[Task], plan_: Plan, now: datetime
) -> Iterator[dict[str, Any]]:
    """Yield the columns of the task instances of a new run."""
    of_tasks = defaults.of_tasks(tasks)
    for task_id, map_index in plan_.instances:
        yield {
            "dag_id": run.dag_id,
            "task_id": task_id,
            "run_id": run.run_id,
            "map_index": map_index,
            "id": clock.new_id(),
            "state": None,
            "try_number": 0,
            **of_tasks[task_id],
            "unixname": defaults.process_user(),
            "rendered_map_index": None if map_index < 0 else str(map_index),
            "updated_at": now,
        }


def _record(run: NewRun, owner: Row[Any], columns: dict[str, Any]) -> DagRun:
    shared = {name: getattr(owner, name) for name in ("display_name", "version_id", "created_at")}
    fields = dict.fromkeys(DagRun._fields) | vars(run) | columns | shared
    fields |= {"is_paused": owner.is_paused}
    return DagRun._make(fields[name] for name in DagRun._fields)
