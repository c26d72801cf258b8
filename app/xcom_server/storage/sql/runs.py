"""The implementation of RunStore for SQL databases."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, select

from xcom_server import clock, errors
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.models import UNCHANGED
from xcom_server.storage.queries import Filter, Order, Page
from xcom_server.storage.runs import DagRun, NewRun, RunStore, TaskStates
from xcom_server.storage.sql import (
    changes,
    dag_rows,
    pages,
    resources,
    steps,
    triggering,
)
from xcom_server.storage.sql.tables import dag, dag_run


class SqlRunStore(RunStore):
    """A RunStore in the database of an executor; RunStore documents the methods."""

    def __init__(self, executor: Executor, *, require_parents: bool) -> None:
        self._executor = executor
        self._require_parents = require_parents

    def get(self, dag_id: str, run_id: str) -> DagRun:
        """Return a run, and take the next step of its script."""
        run = self.peek(dag_id, run_id)
        if run.step_at is not None and not run.is_paused and run.step_at <= clock.now():
            self._take_due_steps(run)
            run = self.peek(dag_id, run_id)
        self._take_steps([run])
        return run

    def peek(self, dag_id: str, run_id: str) -> DagRun:
        """Return a run without taking a step."""
        rows = self._executor.read(_select_run, {"dag_id": dag_id, "run_id": run_id})
        if not rows:
            raise errors.RunNotFound(dag_id, run_id)
        return DagRun._make(rows[0])

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[DagRun]:
        """Return a page of the runs that match, and the number of all."""
        rows, total = pages.read_current(
            self._executor, resources.RUNS, filter_, limit=limit, offset=offset, order=order
        )
        runs = [DagRun._make(row) for row in rows]
        self._take_steps(runs)
        return Page(runs, total)

    def peek_list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[DagRun]:
        """Return a page of the runs that match, without taking a step."""
        rows, total = pages.read_stored(
            self._executor, resources.RUNS, filter_, limit=limit, offset=offset, order=order
        )
        return Page([DagRun._make(row) for row in rows], total)

    def trigger(self, run: NewRun) -> DagRun:
        """Store a queued run with its task instances, and return it."""
        triggering.require_valid_ids(run)
        return self._executor.transaction(
            lambda connection: triggering.trigger(
                self._executor.backend, connection, run, require_dag=self._require_parents
            )
        )

    def require_new(self, run: NewRun) -> None:
        """Raise RunExists if `trigger` would."""
        self._executor.transaction(lambda connection: triggering.require_new(connection, run))

    def set_state(
        self,
        dag_id: str,
        run_id: str,
        state: str,
        tasks: TaskStates,
        *,
        note: str | None = UNCHANGED,
    ) -> DagRun:
        """Set the state of a run, the states of its task instances and its note."""

        def change(connection: Connection, run: Row[Any]) -> None:
            changes.set_run_state(connection, run, state, tasks, clock.now())
            changes.set_run_note(connection, run, note)

        return self._change(dag_id, run_id, change)

    def set_note(self, dag_id: str, run_id: str, note: str | None) -> DagRun:
        """Set the note of a run, and return the run."""
        return self._change(
            dag_id, run_id, lambda connection, run: changes.set_run_note(connection, run, note)
        )

    def clear(
        self,
        dag_id: str,
        run_id: str,
        *,
        only_states: Collection[str | None] | None = None,
        restarting: bool,
        note: str | None = UNCHANGED,
    ) -> DagRun:
        """Clear a run's task instances, so that they would run again."""

        def change(connection: Connection, run: Row[Any]) -> None:
            rows = [
                row
                for row in steps.instances_of(connection, run)
                if only_states is None or row.state in only_states
            ]
            if rows or only_states is None:
                now = clock.now()
                changes.clear_instances(
                    self._executor.backend, connection, rows, restarting=restarting, now=now
                )
                changes.requeue_finished(connection, run, now)
            changes.set_run_note(connection, run, note)

        return self._change(dag_id, run_id, change)

    def delete(self, dag_id: str, run_id: str, *, even_if_running: bool) -> None:
        """Delete a run with its task instances and entries."""

        def work(connection: Connection) -> None:
            if not dag_rows.lock(connection, dag_id):
                raise errors.RunNotFound(dag_id, run_id)
            run = _locked(connection, dag_id, run_id)
            if run.state == "running" and not even_if_running:
                raise errors.RunIsRunning(dag_id, run_id)
            count = len(steps.instances_of(connection, run))
            is_run = (dag_run.c.dag_id == dag_id, dag_run.c.run_id == run_id)
            connection.execute(delete(dag_run).where(*is_run))
            dag_rows.count(connection, dag_id, runs=-1, task_instances=-count)

        self._executor.transaction(work)

    def _change(
        self, dag_id: str, run_id: str, change: Callable[[Connection, Row[Any]], None]
    ) -> DagRun:
        """Change a run in a transaction, and return it."""

        def work(connection: Connection) -> DagRun:
            change(connection, _locked(connection, dag_id, run_id))
            return _record(connection, dag_id, run_id)

        return self._executor.transaction(work)

    def _take_due_steps(self, run: DagRun) -> None:
        """Take the steps of a run that were due at a time that has passed."""
        now = clock.now()
        self._executor.transaction(
            lambda connection: steps.take_due_of(
                self._executor.backend, connection, run.dag_id, run.run_id, now
            )
        )

    def _take_steps(self, runs: Iterable[DagRun]) -> None:
        """Take the step of each run whose next step is taken by a read.

        All readers lock the runs in the same order, so that no two of them deadlock.
        """
        waiting = sorted(
            (run.dag_id, run.run_id, run.step)
            for run in runs
            if run.step is not None and run.step_at is None and not run.is_paused
        )

        def work(connection: Connection) -> None:
            for dag_id, run_id, step in waiting:
                steps.take_one(self._executor.backend, connection, dag_id, run_id, step)

        if waiting:
            self._executor.transaction(work)


_RUN = (
    select(*resources.RUN_COLUMNS)
    .join_from(dag_run, dag, resources.DAG_OF_RUN.on)
    .where(
        dag_run.c.dag_id == bindparam("dag_id", None),
        dag_run.c.run_id == bindparam("run_id", None),
    )
)


def _select_run(backend: Backend) -> Select[Any]:
    return _RUN


def _record(connection: Connection, dag_id: str, run_id: str) -> DagRun:
    return DagRun._make(connection.execute(_RUN, {"dag_id": dag_id, "run_id": run_id}).one())


def _locked(connection: Connection, dag_id: str, run_id: str) -> Row[Any]:
    run = steps.locked_run(connection, dag_id, run_id)
    if run is None:
        raise errors.RunNotFound(dag_id, run_id)
    return run
