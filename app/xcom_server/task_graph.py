"""The tasks in the definition of a DAG: their order, their weights and their map indexes.

A task is an object of a seed file. Its `upstream` or its `downstream_task_ids` say how it depends
on others.
"""

from collections.abc import Sequence
from graphlib import TopologicalSorter
from typing import Any

Task = dict[str, Any]


def downstream(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Return for each task the ids of those that follow it, sorted."""
    found: dict[str, set[str]] = {task["task_id"]: set() for task in tasks}
    for task in tasks:
        found[task["task_id"]].update(task.get("downstream_task_ids", []))
        for each in task.get("upstream", []):
            found[each].add(task["task_id"])
    return {task_id: sorted(ids) for task_id, ids in found.items()}


def upstream(tasks: Sequence[Task]) -> dict[str, list[str]]:
    """Return for each task the ids of those that it follows.  Raises graphlib.CycleError."""
    found: dict[str, list[str]] = {task["task_id"]: [] for task in tasks}
    for task_id, followers in downstream(tasks).items():
        for each in followers:
            found[each].append(task_id)
    order = TopologicalSorter(found).static_order()
    return {task_id: found[task_id] for task_id in order}


def levels(tasks: Sequence[Task]) -> dict[str, int]:
    """Return for each task the length of the longest path to it: 0 for a task that starts first."""
    found: dict[str, int] = {}
    for task_id, before in upstream(tasks).items():
        found[task_id] = max((found[each] + 1 for each in before), default=0)
    return found


def priority_weights(tasks: Sequence[Task]) -> dict[str, int]:
    """Return for each task its weight plus those of all tasks after it, as Airflow's default."""
    own = {task["task_id"]: int(task.get("priority_weight", 1)) for task in tasks}
    after: dict[str, set[str]] = {}
    followers = downstream(tasks)
    for task_id in reversed([*upstream(tasks)]):
        after[task_id] = {*followers[task_id]}.union(*(after[each] for each in followers[task_id]))
    return {task_id: own[task_id] + sum(own[each] for each in after[task_id]) for task_id in own}


def map_indexes(task: Task) -> list[int]:
    """Return the map indexes of a task's instances; [-1] if it is not mapped over a literal."""
    return [*range(task["mapped"])] if task.get("mapped") else [-1]
