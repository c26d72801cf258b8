"""A write's DAG, run and task instance: required where that is asked for, registered elsewhere."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from xcom_server.errors import (
    DagNotFound,
    DateMismatch,
    NotFound,
    RunNotFound,
    TaskInstanceNotFound,
    TaskNotFound,
)
from xcom_server.storage.models import MAX_ID_LENGTH, XComFilter, XComKey
from xcom_server.storage.store import XComStore

from tests.support.stores import MakeStore, exported_runs

RUN = "scheduled__2024-01-01T00:00:00+00:00"
RUN_DATE = datetime(2024, 1, 1, tzinfo=UTC)


def named(**fields: Any) -> XComKey:
    return replace(XComKey("etl", RUN, "extract", -1, "k"), **fields)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"dag_id": "nope"}, DagNotFound),
        ({"dag_id": "ETL"}, DagNotFound),
        ({"dag_id": "nope", "run_id": "nope", "task_id": "nope", "map_index": 9}, DagNotFound),
        ({"task_id": "nope"}, TaskNotFound),
        ({"task_id": "nope", "run_id": "nope"}, TaskNotFound),
        ({"task_id": "nope", "map_index": 3}, TaskNotFound),
        ({"task_id": "theirs"}, TaskNotFound),
        ({"run_id": "nope"}, RunNotFound),
        ({"run_id": "nope", "map_index": 9}, RunNotFound),
        ({"run_id": "theirs"}, RunNotFound),
        ({"map_index": 3}, TaskInstanceNotFound),
        ({"task_id": "load"}, TaskInstanceNotFound),
        ({"dag_id": "~"}, DagNotFound),
        ({"task_id": "~"}, TaskNotFound),
        ({"run_id": "~"}, RunNotFound),
        ({"dag_id": "x" * 251}, DagNotFound),
    ],
)
def test_the_first_missing_parent_is_named(
    make_store: MakeStore, fields: dict[str, Any], error: type[NotFound]
) -> None:
    """By DAG, task, run and instance; `load` is a task of another run of the DAG."""
    store = make_store()
    for known in (
        {},
        {"run_id": "other", "task_id": "load"},
        {"dag_id": "their", "run_id": "theirs", "task_id": "theirs"},
    ):
        store.create(named(**known), "1")
    before = exported_runs(make_store())
    strict = make_store(require_parents=True)

    with pytest.raises(NotFound) as refused:
        strict.create(named(**fields), "1")

    name = named(**fields)
    assert type(refused.value) is error
    assert (
        refused.value.dag_id,
        refused.value.run_id,
        refused.value.task_id,
        refused.value.map_index,
    ) == (name.dag_id, name.run_id, name.task_id, name.map_index)
    assert exported_runs(make_store()) == before
    assert store.list(XComFilter(), limit=9).total_entries == 3


def test_an_entry_whose_parents_are_registered_is_stored(make_store: MakeStore) -> None:
    make_store().create(named(), "1")

    strict = make_store(require_parents=True)

    assert strict.create(named(key="other"), "1").run_date == RUN_DATE


@pytest.mark.parametrize("bad", ["~", "x" * (MAX_ID_LENGTH + 1), "鍵" * (MAX_ID_LENGTH + 1)])
@pytest.mark.parametrize(
    ("fields", "error"),
    [
        (["dag_id"], DagNotFound),
        (["task_id"], TaskNotFound),
        (["run_id"], RunNotFound),
        (["run_id", "task_id"], TaskNotFound),
        (["dag_id", "run_id", "task_id"], DagNotFound),
    ],
)
def test_an_id_that_nothing_can_have_is_not_found(
    make_store: MakeStore, fields: list[str], error: type[NotFound], bad: str
) -> None:
    store = make_store()

    with pytest.raises(NotFound) as refused:
        store.create(named(**dict.fromkeys(fields, bad)), "1")

    assert type(refused.value) is error
    assert exported_runs(make_store()) == []


@pytest.mark.parametrize("field", ["dag_id", "task_id", "run_id"])
@pytest.mark.parametrize("good", ["~~", "x~", "x" * MAX_ID_LENGTH, "鍵" * MAX_ID_LENGTH])
def test_any_other_id_is_registered(store: XComStore, field: str, good: str) -> None:
    store.create(named(**{field: good}), "1")

    assert store.get(named(**{field: good})).value == "1"


def test_a_refused_entry_leaves_no_run_behind(store: XComStore, make_store: MakeStore) -> None:
    with pytest.raises(DateMismatch):
        store.create(named(), "1", run_date=RUN_DATE + timedelta(days=1))

    strict = make_store(require_parents=True)
    with pytest.raises(DagNotFound):
        strict.create(named(), "1")
