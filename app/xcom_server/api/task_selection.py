"""Which task instances a request to change or clear them selects, as conditions of a list."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime

from connexion.exceptions import BadRequestProblem

from xcom_server import task_graph
from xcom_server.api.conditions import refuse_many
from xcom_server.storage.queries import MAX_ROWS, Comparison, Condition, Filter
from xcom_server.storage.runs import DagRun
from xcom_server.storage.task_instances import TaskInstance, TaskInstanceStore
from xcom_server.task_graph import Task

Marker = str | tuple[str, int]
"""A task, or one instance of a mapped task: its id, or its id and a map index."""

FAILED: Condition = ((Comparison("state", "in", ("failed", "upstream_failed")),),)
RUNNING: Condition = ((Comparison("state", "eq", "running"),),)


def matching(store: TaskInstanceStore, filter_: Filter) -> list[TaskInstance]:
    """Return all task instances that match; raise BadRequestProblem for more than MAX_ROWS."""
    page = store.list(filter_, limit=MAX_ROWS)
    if page.total_entries > MAX_ROWS:
        raise BadRequestProblem(
            detail=f"The request selects {page.total_entries} task instances, more than {MAX_ROWS}"
        )
    return page.entries


def relatives(
    tasks: Sequence[Task], task_ids: Iterable[str], *, upstream: bool, downstream: bool
) -> set[str]:
    """Return the ids of all tasks before (`upstream`) or after (`downstream`) some tasks."""
    edges = [task_graph.upstream(tasks)] if upstream else []
    edges += [task_graph.downstream(tasks)] if downstream else []
    found: set[str] = set()
    for following in edges:
        pending = [*task_ids]
        while pending:
            new = [each for each in following.get(pending.pop(), []) if each not in found]
            found.update(new)
            pending += new
    return found


def of_tasks(markers: Collection[Marker]) -> Condition:
    """Return the condition for the instances of tasks.

    Raises BadRequestProblem for map indexes of too many tasks.
    """
    whole = tuple(marker for marker in markers if isinstance(marker, str))
    indexes: dict[str, tuple[int, ...]] = {}
    for marker in markers:
        if not isinstance(marker, str):
            indexes[marker[0]] = (*indexes.get(marker[0], ()), marker[1])
    refuse_many("task_ids", indexes)
    return (
        (Comparison("task_id", "in", whole),),
        *(
            (Comparison("task_id", "eq", task_id), Comparison("map_index", "in", numbers))
            for task_id, numbers in indexes.items()
        ),
    )


def of_run(run: DagRun, *, past: bool = False, future: bool = False) -> tuple[Condition, ...]:
    """Return the conditions for the instances of a run, and of those with earlier or later dates.

    A run without a logical date is compared by `run_after`.
    """
    if not (past or future):
        return (((Comparison("run_id", "eq", run.run_id),),),)
    field = "run_after" if run.logical_date is None else "logical_date"
    start, end = None if past else run.run_date, None if future else run.run_date
    return between(start, end, field)


def between(
    start: datetime | None, end: datetime | None, field: str = "logical_date"
) -> tuple[Condition, ...]:
    """Return the conditions for the instances of runs between two dates; None means any date."""
    conditions: list[Condition] = []
    if start is not None:
        conditions.append(((Comparison(field, "gte", start),),))
    if end is not None:
        conditions.append(((Comparison(field, "lte", end),),))
    return tuple(conditions)
