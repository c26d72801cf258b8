"""The implementation of DagStore for SQL databases."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    update,
)

from xcom_server import clock, errors
from xcom_server.storage.dags import Dag, DagStore
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.sqlalchemy_adapter import Row
from xcom_server.storage.queries import Filter, Order, Page
from xcom_server.storage.sql import dag_rows, pages, resources
from xcom_server.storage.sql.tables import dag, dag_run, task_instance


class SqlDagStore(DagStore):
    """A DagStore in the database of an executor; DagStore documents the methods."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def get(self, dag_id: str) -> Dag:
        """Return a DAG."""
        rows = self._executor.read(_select_dag, {"dag_id": dag_id})
        if not rows:
            raise errors.DagNotFound(dag_id)
        return _record(rows[0])

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[Dag]:
        """Return a page of the DAGs that match, and the number of all."""
        rows, total = pages.read(
            self._executor, resources.DAGS, filter_, limit=limit, offset=offset, order=order
        )
        return Page([_record(row) for row in rows], total)

    def task_ids(self, dag_id: str) -> Sequence[str]:
        """Return the ids of the tasks that have instances."""
        rows = self._executor.read(_select_tasks, {"dag_id": dag_id})
        return [row[0] for row in rows]

    def count_running(self, dag_id: str) -> int:
        """Return the number of the DAG's runs in the state running."""
        rows = self._executor.read(_count_running, {"dag_id": dag_id})
        return int(rows[0][0])

    def set_paused(self, dag_id: str, is_paused: bool | None) -> Dag:
        """Pause or unpause a DAG and return it."""
        changed = self.set_all_paused([dag_id], is_paused)
        if not changed:
            raise errors.DagNotFound(dag_id)
        return changed[0]

    def set_all_paused(self, dag_ids: Collection[str], is_paused: bool | None) -> Sequence[Dag]:
        """Pause or unpause DAGs, and return them."""

        def work(connection: Connection) -> list[Dag]:
            rows = [_set_paused(connection, dag_id, is_paused) for dag_id in sorted(dag_ids)]
            return [_record(row) for row in rows if row is not None]

        return self._executor.transaction(work)

    def delete(self, dag_id: str) -> None:
        """Delete a DAG with its runs, task instances and entries."""
        self._executor.transaction(lambda connection: _delete(connection, dag_id))


def _record(row: Row) -> Dag:
    """Return the DAG of a row; SQLite returns booleans as integers."""
    found = Dag._make(row)
    is_paused = None if found.is_paused is None else bool(found.is_paused)
    return found._replace(is_paused=is_paused, is_stale=bool(found.is_stale))


def _select_dag(backend: Backend) -> Select[Any]:
    return select(*resources.DAGS.listed).where(dag.c.dag_id == bindparam("dag_id", None))


def _select_tasks(backend: Backend) -> Select[Any]:
    return dag_rows.SELECT_TASKS


def _count_running(backend: Backend) -> Select[Any]:
    # A literal, since the index of running runs is not used for a parameter.
    is_running = dag_run.c.state == literal_column("'running'")
    return select(func.count()).where(dag_run.c.dag_id == bindparam("dag_id", None), is_running)


def _set_paused(connection: Connection, dag_id: str, is_paused: bool | None) -> Any:
    """Pause or unpause a DAG; return its row, None for an unknown one."""
    parameters = {"of_dag": dag_id, "paused": is_paused, "now": clock.now()}
    dag_rows.lock(connection, dag_id)
    if not is_paused:
        _lock_runs(connection, dag_id, _WAS_DUE)
        connection.execute(_RESUME, parameters)
    return connection.execute(_SET_PAUSED, parameters).one_or_none()


def _delete(connection: Connection, dag_id: str) -> None:
    if not dag_rows.lock(connection, dag_id):
        raise errors.DagNotFound(dag_id)
    if connection.execute(_RUNNING, {"dag_id": dag_id}).first():
        raise errors.TaskIsRunning(dag_id)
    _lock_runs(connection, dag_id)
    connection.execute(delete(dag_run).where(dag_run.c.dag_id == dag_id))
    connection.execute(delete(dag).where(dag.c.dag_id == dag_id))


def _lock_runs(connection: Connection, dag_id: str, *conditions: ColumnElement[bool]) -> None:
    """Lock runs of a DAG in the order in which the readers that take steps lock them."""
    query = select(dag_run.c.run_id).where(dag_run.c.dag_id == dag_id, *conditions)
    connection.execute(
        query.order_by(dag_run.c.run_id).with_for_update(), {"now": clock.now()}
    ).all()


_SET_PAUSED = (
    update(dag)
    .where(dag.c.dag_id == bindparam("of_dag"))
    .values(is_paused=bindparam("paused"))
    .returning(*resources.DAGS.listed)
)
_WAS_DUE = dag_run.c.step_at < bindparam("now", None, dag_run.c.step_at.type)
# A step that was due while the DAG was paused is due now; the later ones follow from there.
_RESUME = (
    update(dag_run)
    .where(
        dag_run.c.dag_id == bindparam("of_dag"),
        _WAS_DUE,
        select(dag.c.dag_id).where(dag.c.dag_id == bindparam("of_dag"), dag.c.is_paused).exists(),
    )
    .values(step_at=bindparam("now"))
)
_RUNNING = (
    select(task_instance.c.task_id)
    .where(task_instance.c.dag_id == bindparam("dag_id"), task_instance.c.state == "running")
    .limit(1)
)
