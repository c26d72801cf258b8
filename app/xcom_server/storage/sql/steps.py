"""The steps of triggered runs: a run and its task instances go through the plan of its script.

A step is taken in a transaction that has locked the run, so that of several readers only one takes
it, and none sees a run go back.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, bindparam, select, update

from xcom_server import clock
from xcom_server.scripts.plans import InstancePlan, Plan, plan
from xcom_server.states import ENDED, FINISHED
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.sql import dag_rows, moves, resources
from xcom_server.storage.sql.moves import Move
from xcom_server.storage.sql.tables import dag, dag_run, task_instance, task_try, xcom

CHUNK = 100  # the number of runs that one transaction moves

_BEFORE_FIRST = -1  # the step of a queued run whose script starts with another state
_IS_RUN = (dag_run.c.dag_id == bindparam("dag_id"), dag_run.c.run_id == bindparam("run_id"))
_LOCK = (
    select(dag_run, dag.c.script, dag.c.definition, dag.c.is_paused)
    .join(dag, dag.c.dag_id == dag_run.c.dag_id)
    .where(*_IS_RUN)
    .with_for_update(of=dag_run, key_share=True)
)
_INSTANCES = (
    select(task_instance)
    .where(
        task_instance.c.dag_id == bindparam("dag_id"), task_instance.c.run_id == bindparam("run_id")
    )
    .order_by(task_instance.c.id)
)


def locked_run(connection: Connection, dag_id: str, run_id: str) -> Row[Any] | None:
    """Return the row of a run, locked until the transaction ends.

    It also has the script, the definition and `is_paused` of the DAG.
    """
    return connection.execute(_LOCK, {"dag_id": dag_id, "run_id": run_id}).one_or_none()


def instances_of(connection: Connection, run: Row[Any]) -> Sequence[Row[Any]]:
    """Return the rows of a run's task instances, in the order of their creation."""
    return connection.execute(_INSTANCES, {"dag_id": run.dag_id, "run_id": run.run_id}).all()


def first_step(plan_: Plan, at: datetime) -> dict[str, Any]:
    """Return the columns of a queued run that is about to go through its plan.

    If the plan does not start with queued, its first step is due at once.
    """
    if plan_.states[0] != "queued":
        return {"step": _BEFORE_FIRST, "step_at": at}
    return _position(plan_, 0, at)


def plan_of_run(run: Row[Any], instances: Sequence[Row[Any]]) -> Plan:
    """Return the plan of a locked run with these task instances."""
    tasks = dag_rows.tasks(run.definition, lambda: dict.fromkeys(row.task_id for row in instances))
    return plan(dag_rows.parsed(run.script), tasks, run.number)


def take_one(backend: Backend, connection: Connection, dag_id: str, run_id: str, step: int) -> None:
    """Take the step after `step`, unless another reader has taken it or the DAG is paused."""
    run = locked_run(connection, dag_id, run_id)
    if run is not None and not run.is_paused and run.step == step and run.step_at is None:
        _Stepper(backend, connection, run).move_to(step + 1, clock.now())


def take_due(backend: Backend, connection: Connection, now: datetime) -> bool:
    """Take the steps that were due until now, of CHUNK runs; return whether there may be more."""
    query = resources.due_runs().order_by(dag_run.c.dag_id, dag_run.c.run_id).limit(CHUNK)
    runs = connection.execute(query, {"now": now}).all()
    for dag_id, run_id in runs:
        take_due_of(backend, connection, dag_id, run_id, now)
    return len(runs) == CHUNK


def take_due_of(
    backend: Backend, connection: Connection, dag_id: str, run_id: str, now: datetime
) -> None:
    """Take the steps of a run that were due until now, each with the time at which it was due."""
    run = locked_run(connection, dag_id, run_id)
    while run is not None and not run.is_paused and run.step_at is not None and run.step_at <= now:
        _Stepper(backend, connection, run).move_to(run.step + 1, run.step_at)
        run = locked_run(connection, dag_id, run_id)


def _position(plan_: Plan, step: int, at: datetime) -> dict[str, Any]:
    """Return the columns of a run that has been at a step since `at`."""
    if step >= plan_.last_step:
        return {"step": None, "step_at": None}
    if plan_.seconds is None:
        return {"step": step, "step_at": None}
    return {"step": step, "step_at": at + timedelta(seconds=plan_.seconds[step])}


class _Stepper:
    """Moves one run, which the transaction has locked, to a step of its plan."""

    def __init__(self, backend: Backend, connection: Connection, run: Row[Any]) -> None:
        self._backend = backend
        self._connection = connection
        self._run = run
        self._instances = instances_of(connection, run)
        self._plan = plan_of_run(run, self._instances)

    def move_to(self, step: int, at: datetime) -> None:
        """Set the states of the run and of its task instances; `at` is the time of the step."""
        step = min(step, self._plan.last_step)
        changes = [Move(self._plan, row, planned, step, at) for row, planned in self._unfinished()]
        self._start([change for change in changes if change.starts])
        self._end([change for change in changes if change.ends])
        run = self._run
        self._connection.execute(
            update(dag_run)
            .where(dag_run.c.dag_id == run.dag_id, dag_run.c.run_id == run.run_id)
            .values(self._run_columns(step, at))
        )

    def _unfinished(self) -> list[tuple[Row[Any], InstancePlan]]:
        """Return the task instances that have not ended and are part of the plan."""
        plans = self._plan.instances
        return [
            (row, plans[row.task_id, row.map_index])
            for row in self._instances
            if row.state not in ENDED and (row.task_id, row.map_index) in plans
        ]

    def _run_columns(self, step: int, at: datetime) -> dict[str, Any]:
        """Return the new values of the run's columns."""
        state = self._plan.states[step]
        start = self._run.start_date or (at if state != "queued" else None)
        columns = {"state": state, "start_date": start, **_position(self._plan, step, at)}
        if state in FINISHED:
            columns |= {"end_date": at, "duration": moves.seconds_between(start, at)}
        return columns | {"updated_at": at, "last_scheduling_decision": at}

    def _start(self, changes: Sequence[Move]) -> None:
        """Start a try; one after the first deletes the entries of the task instance."""
        self._execute(moves.DELETE_ENTRIES, [move.key for move in changes if move.try_number > 1])
        self._execute(moves.START, [move.key | move.start_columns() for move in changes])

    def _end(self, changes: Sequence[Move]) -> None:
        """Set the end states, and store the entries and logs of the task instances that ran."""
        self._execute(moves.END, [move.key | move.end_columns() for move in changes])
        ran = [move for move in changes if move.planned.runs]
        if entries := [entry for move in ran for entry in move.entries(self._run.conf)]:
            self._backend.upsert(self._connection, xcom, entries)
        if logs := [move.log_row() for move in ran if move.planned.log is not None]:
            self._backend.upsert(self._connection, task_try, logs)

    def _execute(self, statement: Any, parameters: list[dict[str, Any]]) -> None:
        if parameters:
            self._connection.execute(statement, parameters)
