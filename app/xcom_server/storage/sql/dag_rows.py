"""The row of a DAG: registering and locking it, its counters and its tasks.

A transaction that adds or deletes runs or task instances locks the row first. So transactions on
one DAG wait for each other instead of ending in a deadlock, and the counters are right.
"""

import json
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Connection, Select, bindparam, func, select, update

from xcom_server import clock
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.sql.tables import dag, task_instance
from xcom_server.task_graph import Task

_COUNT = (
    update(dag)
    .where(dag.c.dag_id == bindparam("id"))
    .values(
        runs=dag.c.runs + bindparam("more_runs"),
        task_instances=dag.c.task_instances + bindparam("more_instances"),
    )
)


def _select_tasks() -> Select[Any]:
    """Return the SELECT of the tasks of a DAG that have instances.

    It finds one task after another in the index, because a DAG can have a million instances.
    """
    is_of_dag = task_instance.c.dag_id == bindparam("dag_id", None)
    least = select(func.min(task_instance.c.task_id).label("task_id")).where(is_of_dag)
    found = least.cte("found", recursive=True)
    following = least.where(task_instance.c.task_id > found.c.task_id).correlate(found)
    found = found.union_all(select(following.scalar_subquery()).where(found.c.task_id.is_not(None)))
    return select(found.c.task_id).where(found.c.task_id.is_not(None)).order_by(found.c.task_id)


SELECT_TASKS = _select_tasks()
_DEFINITION = select(dag.c.definition).where(dag.c.dag_id == bindparam("dag_id", None))


def register(
    backend: Backend, connection: Connection, dag_id: str, *, runs: int = 0, task_instances: int = 0
) -> None:
    """Store a DAG if it is unknown, and lock its row until the end of the transaction.

    Adds to its numbers of runs and task instances, as `count` does.
    """
    counts = {"runs": runs, "task_instances": task_instances}
    row = {"dag_id": dag_id, "version_id": clock.new_id(), "created_at": clock.now()}
    connection.execute(
        backend.insert(dag)
        .values(row | counts)
        .on_conflict_do_update(
            index_elements=[dag.c.dag_id],
            set_={name: dag.c[name] + more for name, more in counts.items()},
        )
    )


def lock(connection: Connection, dag_id: str) -> bool:
    """Lock the row of a DAG until the end of the transaction; return whether there is one."""
    is_dag = dag.c.dag_id == dag_id
    done = connection.execute(update(dag).where(is_dag).values(dag_id=dag.c.dag_id))
    return bool(done.rowcount)


def count(connection: Connection, dag_id: str, *, runs: int = 0, task_instances: int = 0) -> None:
    """Add to the numbers of runs and task instances of a DAG."""
    connection.execute(_COUNT, {"id": dag_id, "more_runs": runs, "more_instances": task_instances})


def definition(connection: Connection, dag_id: str) -> dict[str, Any]:
    """Return the definition of a DAG, {} for an unknown one."""
    text = connection.execute(_DEFINITION, {"dag_id": dag_id}).scalar()
    return json.loads(text) if text else {}


def parsed(text: str | None) -> Any:
    """Return the value of JSON text, None without a text."""
    return None if text is None else json.loads(text)


def tasks(definition_text: str, known: Callable[[], Iterable[str]]) -> list[Task]:
    """Return the tasks in the definition of a DAG; `known` returns their ids if it lists none."""
    defined = json.loads(definition_text).get("tasks")
    return [{"task_id": each} for each in known()] if defined is None else list(defined)


def tasks_with_instances(connection: Connection, dag_id: str) -> list[str]:
    """Return the ids of the tasks of a DAG that have instances."""
    return [*connection.execute(SELECT_TASKS, {"dag_id": dag_id}).scalars()]


def task_ids(connection: Connection, dag_id: str) -> list[str]:
    """Return the ids of a DAG's tasks: those that have instances, then others of its definition."""
    known = tasks_with_instances(connection, dag_id)
    defined = [task["task_id"] for task in definition(connection, dag_id).get("tasks", [])]
    return [*dict.fromkeys(known + defined)]
