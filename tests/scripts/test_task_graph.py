"""The tasks of a DAG: their order, levels, weights and map indexes."""

from graphlib import CycleError

import pytest
from xcom_server import task_graph
from xcom_server.task_graph import Task

# a -> b -> d, a -> c -> d; c lists its followers, the others what is before them
DIAMOND: list[Task] = [
    {"task_id": "d", "upstream": ["b"], "priority_weight": 5},
    {"task_id": "c", "upstream": ["a"], "downstream_task_ids": ["d"]},
    {"task_id": "b", "upstream": ["a"]},
    {"task_id": "a", "downstream_task_ids": ["b"]},
]


def test_dependencies_can_be_given_from_both_ends() -> None:
    assert task_graph.downstream(DIAMOND) == {"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}
    found = task_graph.upstream(DIAMOND)
    assert {task_id: sorted(ids) for task_id, ids in found.items()} == {
        "a": [],
        "b": ["a"],
        "c": ["a"],
        "d": ["b", "c"],
    }
    assert [[*found].index(task_id) for task_id in "ad"] == [0, 3]


def test_level_is_the_length_of_the_longest_path() -> None:
    tasks = [*DIAMOND, {"task_id": "e", "upstream": ["a", "d"]}, {"task_id": "alone"}]

    assert task_graph.levels(tasks) == {"a": 0, "b": 1, "c": 1, "d": 2, "e": 3, "alone": 0}
    assert task_graph.levels([]) == {}


def test_weight_includes_each_later_task_once() -> None:
    assert task_graph.priority_weights(DIAMOND) == {"d": 5, "c": 6, "b": 6, "a": 8}


def test_circle_of_tasks_is_an_error() -> None:
    with pytest.raises(CycleError):
        task_graph.levels(
            [{"task_id": "a", "upstream": ["b"]}, {"task_id": "b", "upstream": ["a"]}]
        )


def test_map_indexes() -> None:
    assert task_graph.map_indexes({"task_id": "a", "mapped": 3}) == [0, 1, 2]
    assert task_graph.map_indexes({"task_id": "a"}) == [-1]
    assert task_graph.map_indexes({"task_id": "a", "is_mapped": True, "mapped": None}) == [-1]
