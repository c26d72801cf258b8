"""The implementation of TaskInstanceStore for SQL databases."""

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, delete, select, tuple_

from xcom_server import clock, errors
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.models import MAX_MAP_INDEX, UNCHANGED
from xcom_server.storage.queries import Filter, Order, Page
from xcom_server.storage.sql import changes, dag_rows, listing, pages, resources, steps
from xcom_server.storage.sql.tables import dag, dag_run, task_instance, task_try
from xcom_server.storage.task_instances import TaskInstance, TaskInstanceStore, TaskKey, Try

CHUNK = 100  # the number of task instances that one statement reads


class SqlTaskInstanceStore(TaskInstanceStore):
    """A TaskInstanceStore in the database of an executor, which documents the methods."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def get(self, key: TaskKey) -> TaskInstance:
        """Return a task instance."""
        rows = self._executor.read(_select_instance, _parameters(key))
        if rows and rows[0][-1]:
            pages.take_due_steps(self._executor)
            rows = self._executor.read(_select_instance, _parameters(key))
        if not rows:
            raise _not_found(key)
        return TaskInstance._make(rows[0][:-1])

    def list(
        self, filter_: Filter, *, limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[TaskInstance]:
        """Return a page of the task instances that match, and the number of all."""
        rows, total = pages.read_current(
            self._executor,
            resources.TASK_INSTANCES,
            filter_,
            limit=limit,
            offset=offset,
            order=order,
        )
        return Page([TaskInstance._make(row) for row in rows], total)

    def tries(self, key: TaskKey) -> Sequence[TaskInstance]:
        """Return the record of each try."""
        try:
            current = self.get(key)
        except errors.TaskInstanceNotFound:
            return []
        rows = self._executor.read(_select_tries, _parameters(key))
        return [*(Try(*row).of(current) for row in rows), current]

    def log(self, key: TaskKey, try_number: int) -> str | None:
        """Return the log of a try."""
        if not 0 <= try_number <= MAX_MAP_INDEX:  # it does not fit in the column
            return None
        rows = self._executor.read(_select_log, {**_parameters(key), "try_number": try_number})
        return rows[0][0] if rows else None

    def set_state(self, keys: Collection[TaskKey], state: str | None) -> Sequence[TaskInstance]:
        """Set the state of task instances, and return them."""
        return self._change(keys, lambda row, now: changes.in_state(row, state, now))

    def set_note(self, keys: Collection[TaskKey], note: str | None) -> Sequence[TaskInstance]:
        """Set the note of task instances, and return them."""
        return self._change(keys, lambda row, now: {"note": note})

    def clear(
        self,
        keys: Collection[TaskKey],
        *,
        restarting: bool,
        reset_runs: bool,
        note: str | None = UNCHANGED,
    ) -> Sequence[TaskInstance]:
        """Clear task instances, and return them."""

        def work(connection: Connection) -> Sequence[TaskInstance]:
            runs, rows = _locked(connection, keys)
            now = clock.now()
            changes.clear_instances(
                self._executor.backend, connection, rows, restarting=restarting, now=now, note=note
            )
            cleared = {(row.dag_id, row.run_id) for row in rows} if reset_runs else ()
            for run in runs:
                if (run.dag_id, run.run_id) in cleared:
                    changes.requeue_finished(connection, run, now)
            return _records(connection, keys)

        return self._executor.transaction(work)

    def delete(self, key: TaskKey) -> None:
        """Delete a task instance with its entries."""

        def work(connection: Connection) -> None:
            is_known = dag_rows.lock(connection, key.dag_id)
            if not is_known or not _locked(connection, [key])[1]:
                raise _not_found(key)
            of_key = delete(task_instance).where(*_is_key(task_instance.c))
            connection.execute(of_key, _parameters(key))
            dag_rows.count(connection, key.dag_id, task_instances=-1)

        self._executor.transaction(work)

    def _change(
        self,
        keys: Collection[TaskKey],
        columns: Callable[[Row[Any], datetime], dict[str, Any]],
    ) -> Sequence[TaskInstance]:
        """Change each task instance, and return all of them."""

        def work(connection: Connection) -> Sequence[TaskInstance]:
            now = clock.now()
            rows = _locked(connection, keys)[1]
            changes.update_instances(connection, [(row, columns(row, now)) for row in rows], now)
            return _records(connection, keys)

        return self._executor.transaction(work)


def _joined(query: Select[Any]) -> Select[Any]:
    source = task_instance.join(dag_run, resources.RUN_OF_INSTANCE.on)
    return query.select_from(source.join(dag, resources.DAG_OF_INSTANCE.on))


def _is_key(columns: Any) -> list[Any]:
    return [columns[name] == bindparam(name, None) for name in TaskKey._fields]


def _select_instance(backend: Backend) -> Select[Any]:
    return _joined(select(*resources.TASK_INSTANCES.listed)).where(*_is_key(task_instance.c))


def _select_tries(backend: Backend) -> Select[Any]:
    return (
        select(task_try.c.try_number, task_try.c.record)
        .where(*_is_key(task_try.c), task_try.c.record.is_not(None))
        .order_by(task_try.c.try_number)
    )


def _select_log(backend: Backend) -> Select[Any]:
    is_try = task_try.c.try_number == bindparam("try_number", None)
    return select(task_try.c.log).where(*_is_key(task_try.c), is_try)


def _locked(
    connection: Connection, keys: Collection[TaskKey]
) -> tuple[list[Row[Any]], list[Row[Any]]]:
    """Return the rows of task instances in the order of their ids, after those of their runs.

    The runs are locked first, as for a step, and in an order in which two transactions do not
    deadlock. A task instance whose run appears only after that is left out.
    """
    runs = {}
    for dag_id, run_id in sorted({(key.dag_id, key.run_id) for key in keys}):
        runs[dag_id, run_id] = steps.locked_run(connection, dag_id, run_id)
    found = {run for run, row in runs.items() if row is not None}
    rows = _rows(connection, [key for key in keys if (key.dag_id, key.run_id) in found])
    return [row for row in runs.values() if row is not None], rows


def _rows(connection: Connection, keys: Collection[TaskKey]) -> list[Row[Any]]:
    found = _with_keys(connection, select(task_instance), keys)
    return sorted(found, key=lambda row: row.id)


def _records(connection: Connection, keys: Collection[TaskKey]) -> list[TaskInstance]:
    found = _with_keys(connection, _joined(select(*resources.INSTANCE_COLUMNS)), keys)
    return sorted(TaskInstance._make(row) for row in found)


def _with_keys(
    connection: Connection, query: Select[Any], keys: Collection[TaskKey]
) -> Iterator[Row[Any]]:
    """Yield the rows of task instances that a query selects, without those that do not exist."""
    columns = tuple_(*(task_instance.c[name] for name in TaskKey._fields))
    storable = [key for key in {*keys} if key.map_index <= MAX_MAP_INDEX]
    for start in range(0, len(storable), CHUNK):
        chunk = [tuple(key) for key in storable[start : start + CHUNK]]
        yield from connection.execute(query.where(columns.in_(chunk)))


def _parameters(key: TaskKey) -> dict[str, Any]:
    return listing.with_storable_map_index(key._asdict()) | {"now": clock.now()}


def _not_found(key: TaskKey) -> errors.TaskInstanceNotFound:
    return errors.TaskInstanceNotFound(key.dag_id, key.run_id, key.task_id, key.map_index)
