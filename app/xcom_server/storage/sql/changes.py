"""Changes of runs and task instances that clients request: states, notes and clearing."""

import json
from collections.abc import Collection, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, update

from xcom_server import clock
from xcom_server.states import ENDED, FINISHED
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import UNCHANGED
from xcom_server.storage.runs import TaskStates
from xcom_server.storage.sql import dag_rows, defaults, moves, steps
from xcom_server.storage.sql.tables import dag_run, task_try

Columns = dict[str, Any]

_HISTORY = (
    "start_date",
    "end_date",
    "duration",
    "state",
    "max_tries",
    "hostname",
    "unixname",
    "pid",
    "queued_when",
    "scheduled_when",
)  # the columns of a try that are kept when the task instance is cleared


def update_run(connection: Connection, run: Row[Any], **columns: Any) -> None:
    """Set columns of a run, and the time of its last change."""
    columns.setdefault("updated_at", clock.now())
    connection.execute(
        update(dag_run)
        .where(dag_run.c.dag_id == run.dag_id, dag_run.c.run_id == run.run_id)
        .values(**columns)
    )


def set_run_note(connection: Connection, run: Row[Any], note: str | None) -> None:
    """Set the note of a run, unless it is UNCHANGED."""
    if note is not UNCHANGED:
        update_run(connection, run, note=note)


def update_instances(
    connection: Connection, changed: Iterable[tuple[Row[Any], Columns]], now: datetime
) -> None:
    """Set columns of task instances, and the time of their last change.

    Those with the same columns are changed by one statement.
    """
    groups: dict[tuple[str, ...], list[Columns]] = {}
    for row, columns in changed:
        new = {f"new_{name}": value for name, value in columns.items()}
        parameters = {**moves.parameters_of(row), **new, "new_updated_at": now}
        groups.setdefault(tuple(columns), []).append(parameters)
    for names, group in groups.items():
        connection.execute(moves.update_instance(*names, "updated_at"), group)


def set_run_state(
    connection: Connection, run: Row[Any], state: str, tasks: TaskStates, now: datetime
) -> None:
    """Set the state of a run, and the states of its task instances."""
    if state == "queued":
        requeue(connection, run, now)
        return
    end = run.end_date if run.state in FINISHED and run.end_date else now
    duration = moves.seconds_between(run.start_date, end)
    update_run(
        connection, run, state=state, end_date=end, duration=duration, step=None, step_at=None
    )
    rows = [row for row in steps.instances_of(connection, run) if row.state in tasks]
    changed = [(row, in_state(row, tasks[row.state], now)) for row in rows]
    update_instances(connection, changed, now)


def in_state(row: Row[Any], state: str | None, now: datetime) -> Columns:
    """Return the columns of a task instance in another state.

    A final state sets the missing dates and the duration. A removed task instance that gets no
    state ends now, as in Airflow 2.
    """
    columns: Columns = {"state": state}
    if (row.state, state) == ("removed", None):
        columns["end_date"] = now
    if state in ENDED:
        start, end = row.start_date or now, row.end_date or now
        duration = row.duration if row.end_date else moves.seconds_between(start, end)
        columns |= {"start_date": start, "end_date": end, "duration": duration}
    return columns


def requeue(connection: Connection, run: Row[Any], now: datetime, **columns: Any) -> None:
    """Make a run queued, set other columns of it, and let its script start again."""
    plan = steps.plan_of_run(run, steps.instances_of(connection, run))
    dates = {"start_date": None, "end_date": None, "duration": None, "queued_at": now}
    columns |= {**dates, **steps.first_step(plan, now)}
    update_run(connection, run, state="queued", **columns)


def requeue_finished(connection: Connection, run: Row[Any], now: datetime) -> None:
    """Make a run queued if it has ended."""
    if run.state in FINISHED:
        requeue(connection, run, now, last_scheduling_decision=None)


def clear_instances(
    backend: Backend,
    connection: Connection,
    rows: Collection[Row[Any]],
    *,
    restarting: bool,
    now: datetime,
    note: str | None = UNCHANGED,
) -> None:
    """Clear task instances, as Airflow 3 does if `restarting` is true, otherwise as Airflow 2.

    Airflow 3 gives each one a new id, and running ones the state restarting.
    """
    dag_ids = {row.dag_id for row in rows}
    of_tasks = {dag_id: _of_tasks(connection, dag_id) for dag_id in sorted(dag_ids)}
    if ended := [_try(row) for row in rows if row.try_number > 0 and row.state in FINISHED]:
        backend.upsert(connection, task_try, ended, ["record"])
    changed = []
    for row in rows:
        columns: Columns = {} if note is UNCHANGED else {"note": note}
        columns |= {"id": clock.new_id()} if restarting else {}
        columns |= (
            _stopped(row, restarting, now)
            if row.state == "running"
            else _cleared(row, of_tasks[row.dag_id].get(row.task_id, {}))
        )
        changed.append((row, columns))
    update_instances(connection, changed, now)


def _stopped(row: Row[Any], restarting: bool, now: datetime) -> Columns:
    """Return the columns of a running task instance that is cleared."""
    state = "restarting" if restarting else "running"
    duration = moves.seconds_between(row.start_date, now)
    return {"state": state, "end_date": now, "duration": duration}


def _cleared(row: Row[Any], of_task: Columns) -> Columns:
    """Return the columns of a task instance for its next try."""
    retries = of_task.get("max_tries", 0)
    return {**of_task, "state": None, "max_tries": row.try_number + retries}


def _of_tasks(connection: Connection, dag_id: str) -> dict[str, Columns]:
    """Return for each task in a DAG's definition the columns that its next try takes from it."""
    tasks = dag_rows.definition(connection, dag_id).get("tasks", [])
    found = defaults.of_tasks(tasks)
    return {task_id: {**columns, "executor": None} for task_id, columns in found.items()}


def _try(row: Row[Any]) -> Columns:
    """Return the row of a try, with the fields that the next one replaces."""
    fields = {name: getattr(row, name) for name in _HISTORY}
    record = json.dumps(fields, default=lambda date: date.isoformat())
    key = {**moves.instance_key(row), "try_number": row.try_number}
    return {**key, "record": record, "log": None}
