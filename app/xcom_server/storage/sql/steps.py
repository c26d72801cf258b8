"""The steps of triggered runs: creating task instances, and moving a run through its script.

A step is taken in a transaction that has locked the run, so that of several readers only one takes
it, and none sees a run go back.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, Table, bindparam, delete, select, update

from xcom_server import clock, task_graph
from xcom_server.scripts import FINISHED, InstancePlan, Plan, entry_texts, plan
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.sql import dag_rows, statements
from xcom_server.storage.sql.tables import dag, dag_run, task_instance, task_try, xcom

HOSTNAME = "xcom-server"  # of task instances that a script "ran"

_RUN_KEY = (dag_run.c.dag_id == bindparam("dag_id"), dag_run.c.run_id == bindparam("run_id"))
_LOCK = (
    select(dag_run, dag.c.script)
    .join(dag, dag.c.dag_id == dag_run.c.dag_id)
    .where(*_RUN_KEY)
    .with_for_update(of=dag_run)
)
_INSTANCES = select(task_instance).where(
    task_instance.c.dag_id == bindparam("dag_id"), task_instance.c.run_id == bindparam("run_id")
)
_DUE = select(dag_run.c.dag_id, dag_run.c.run_id, dag_run.c.step).where(
    dag_run.c.step_at <= bindparam("now")
)


def plan_of(connection: Connection, dag_id: str, script: str | None, number: int) -> Plan:
    """Return the plan of a DAG's run; a DAG without a definition has the tasks of its runs."""
    return plan(json.loads(script) if script else None, tasks_of(connection, dag_id), number)


def tasks_of(connection: Connection, dag_id: str) -> list[task_graph.Task]:
    """Return the tasks of a DAG."""
    defined = dag_rows.definition(connection, dag_id).get("tasks")
    if defined is not None:
        return list(defined)
    return [{"task_id": task_id} for task_id in dag_rows.task_ids(connection, dag_id)]


def take_one(backend: Backend, connection: Connection, dag_id: str, run_id: str, step: int) -> None:
    """Take the step after `step`, unless another reader has taken it."""
    run = _locked(connection, dag_id, run_id)
    if run is not None and run.step == step and run.step_at is None:
        _Stepper(backend, connection, run).move_to(step + 1, clock.now())


def take_due(backend: Backend, connection: Connection, now: datetime) -> None:
    """Take every step that was due at a time until now, of all runs."""
    for dag_id, run_id, _ in connection.execute(_DUE, {"now": now}).all():
        run = _locked(connection, dag_id, run_id)
        while run is not None and run.step_at is not None and run.step_at <= now:
            _Stepper(backend, connection, run).move_to(run.step + 1, run.step_at)
            run = _locked(connection, dag_id, run_id)


def start(plan_: Plan, at: datetime) -> dict[str, Any]:
    """Return the columns of a run that is at the first step of its plan."""
    if plan_.last_step == 0:
        return {"step": None, "step_at": None}
    return {"step": 0, "step_at": _next_time(plan_, 0, at)}


def _next_time(plan_: Plan, step: int, at: datetime) -> datetime | None:
    return None if plan_.seconds is None else at + timedelta(seconds=plan_.seconds[step])


def _locked(connection: Connection, dag_id: str, run_id: str) -> Row[Any] | None:
    return connection.execute(_LOCK, {"dag_id": dag_id, "run_id": run_id}).one_or_none()


class _Stepper:
    """Moves one run, which the transaction has locked, to a step of its plan."""

    def __init__(self, backend: Backend, connection: Connection, run: Row[Any]) -> None:
        self._backend = backend
        self._connection = connection
        self._run = run
        self._key = {"dag_id": run.dag_id, "run_id": run.run_id}
        self._plan = plan_of(connection, run.dag_id, run.script, run.number)

    def move_to(self, step: int, at: datetime) -> None:
        """Set the states of the run and of its task instances; `at` is the time of the step."""
        step = min(step, self._plan.last_step)
        for row in self._connection.execute(_INSTANCES, self._key).all():
            planned = self._plan.instances.get((row.task_id, row.map_index))
            if planned is not None and row.state not in END:
                self._move_instance(row, planned, step, at)
        self._connection.execute(
            update(dag_run)
            .where(dag_run.c.dag_id == self._run.dag_id, dag_run.c.run_id == self._run.run_id)
            .values(**self._columns(step, at), updated_at=at, last_scheduling_decision=at)
        )

    def _columns(self, step: int, at: datetime) -> dict[str, Any]:
        """Return the new values of the run's columns."""
        state, run = self._plan.states[step], self._run
        is_last = step == self._plan.last_step
        columns: dict[str, Any] = {
            "state": state,
            "step": None if is_last else step,
            "step_at": None if is_last else _next_time(self._plan, step, at),
        }
        started = run.start_date or (at if state != "queued" else None)
        columns["start_date"] = started
        if state in FINISHED:
            columns |= {"end_date": at, "duration": seconds_between(started, at)}
        return columns

    def _move_instance(self, row: Row[Any], planned: InstancePlan, step: int, at: datetime) -> None:
        if self._plan.is_done(step, row.task_id):
            self._end(row, planned, at)
        elif self._plan.is_running(step, row.task_id) and row.state != "running":
            self._update(row, _started(row, at))

    def _end(self, row: Row[Any], planned: InstancePlan, at: datetime) -> None:
        ran = planned.state in FINISHED
        started = _started(row, at) if ran and row.state != "running" else {}
        begin = started.get("start_date", row.start_date) or at
        self._update(
            row,
            {
                **started,
                "state": planned.state,
                "start_date": begin,
                "end_date": at,
                "duration": seconds_between(begin, at),
            },
        )
        if ran:
            self._store_results(row, planned, started.get("try_number", row.try_number), at)

    def _update(self, row: Row[Any], columns: dict[str, Any]) -> None:
        self._connection.execute(
            update(task_instance).where(*is_instance(row, task_instance)).values(**columns)
        )

    def _store_results(
        self, row: Row[Any], planned: InstancePlan, try_number: int, at: datetime
    ) -> None:
        """Store the planned entries and log of a task instance.

        A try after the first one deletes the entries of the one before, as a task does in Airflow.
        """
        key = instance_key(row)
        if try_number > 1:
            self._connection.execute(delete(xcom).where(*is_instance(row, xcom)))
        stored = {"timestamp": at, "etag": statements.new_etag()}
        entries = [
            {**key, "key": name, "value": text, **stored}
            for name, text in entry_texts(planned, self._run.conf).items()
        ]
        if entries:
            self._backend.upsert(self._connection, xcom, entries)
        if planned.log is not None:
            log = {**key, "try_number": try_number, "log": planned.log, "record": None}
            self._backend.upsert(self._connection, task_try, [log])


END = ("success", "failed", "skipped", "upstream_failed", "removed")
"""The states of a task instance that has ended."""


def seconds_between(start: datetime | None, end: datetime) -> float | None:
    """Return the duration in seconds, None without a start."""
    return None if start is None else (end - start).total_seconds()


def _started(row: Row[Any], at: datetime) -> dict[str, Any]:
    """Return the columns of a task instance that starts its next try."""
    return {
        "state": "running",
        "start_date": at,
        "end_date": None,
        "duration": None,
        "queued_when": at,
        "scheduled_when": at,
        "try_number": row.try_number + 1,
        "hostname": HOSTNAME,
        "updated_at": at,
    }


def instance_key(row: Row[Any]) -> dict[str, Any]:
    """Return the columns that identify the task instance of a row."""
    return {name: getattr(row, name) for name in ("dag_id", "task_id", "run_id", "map_index")}


def is_instance(row: Row[Any], table: Table) -> list[ColumnElement[bool]]:
    """Return the conditions for the rows of a table that belong to a task instance."""
    return [table.c[name] == value for name, value in instance_key(row).items()]
