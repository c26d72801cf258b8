"""The fields by which lists of DAGs and task instances can be filtered and ordered."""

import json
from typing import Any

import pytest
from xcom_server.seed_file import read
from xcom_server.storage.queries import Comparison, Filter, Order
from xcom_server.storage.store import XComStore

from tests.support.stores import MakeStore


def run(dag_id: str, day: int, state: str, **fields: Any) -> dict[str, Any]:
    date = f"2024-01-0{day}T00:00:00Z"
    return {
        "dag_id": dag_id,
        "run_id": f"{dag_id}{day}",
        "logical_date": date,
        "data_interval_start": f"2024-01-1{9 - day}T00:00:00Z",
        "state": state,
        **fields,
    }


@pytest.fixture
def store(make_store: MakeStore) -> XComStore:
    """Return a store with DAGs `a` to `c`; the newest run of `a` has not started."""
    tasks = [
        {"task_id": "x", "operator": "BashOperator", "task_display_name": "Zoo"},
        {"task_id": "y", "operator": "PythonOperator", "operator_name": "@task"},
    ]
    document = {
        "dags": [{"dag_id": "c"}],
        "dag_runs": [
            run("a", 1, "success", end_date="2024-01-05T00:00:00Z", task_instances=[tasks[0]]),
            run("a", 2, "queued", task_instances=[tasks[1]]),
            run("b", 1, "failed", end_date="2024-01-06T00:00:00Z"),
        ],
    }
    filled = make_store()
    filled.load(read(json.dumps(document)))
    return filled


def dag_ids(store: XComStore, comparison: Comparison) -> list[str]:
    page = store.dags.list(Filter.of(conditions=(((comparison,),),)), limit=9)
    return [dag.dag_id for dag in page.entries]


def task_ids(store: XComStore, filter_: Filter = Filter.of(), *order: Order) -> list[str]:  # noqa: B008
    return [
        each.task_id for each in store.task_instances.list(filter_, limit=9, order=order).entries
    ]


def test_dags_are_filtered_by_their_newest_run_that_has_started(store: XComStore) -> None:
    [ends_before] = store.runs.list(Filter.of("b"), limit=1).entries

    assert dag_ids(store, Comparison("last_run_state", "eq", "success")) == ["a"]
    assert dag_ids(store, Comparison("last_run_state", "eq", "queued")) == []
    assert dag_ids(store, Comparison("last_run_state", "is_null")) == ["c"]
    assert dag_ids(store, Comparison("last_run_end_date", "gte", ends_before.end_date)) == ["b"]


def test_dags_are_ordered_by_their_newest_run_that_has_started(store: XComStore) -> None:
    page = store.dags.list(Filter.of(), limit=9, order=[Order("last_run_state", True)])

    assert [dag.dag_id for dag in page.entries] == ["a", "b", "c"]


def test_task_instances_are_ordered_by_the_data_interval_of_their_run(store: XComStore) -> None:
    assert task_ids(store, Filter.of(), Order("data_interval_start")) == ["y", "x"]


def test_the_display_name_of_a_task_defaults_to_its_id(store: XComStore) -> None:
    assert task_ids(store, Filter.of(display_name="Zoo")) == ["x"]
    assert task_ids(store, Filter.of(display_name="y")) == ["y"]


def test_the_name_of_an_operator_defaults_to_its_class(store: XComStore) -> None:
    assert task_ids(store, Filter.of(operator_name="BashOperator")) == ["x"]
    assert task_ids(store, Filter.of(operator_name="PythonOperator")) == []
