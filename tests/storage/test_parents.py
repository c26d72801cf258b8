"""The DAG, run and task instance of a write: required by a setting, otherwise registered."""

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
from xcom_server.storage.models import MAX_ID_LENGTH, XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.store import XComStore

from tests.support.stores import MakeStore, exported_runs

RUN = "scheduled__2024-01-01T00:00:00+00:00"
RUN_DATE = datetime(2024, 1, 1, tzinfo=UTC)


def key_with(**fields: Any) -> XComKey:
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
def test_error_names_the_first_missing_parent(
    make_store: MakeStore, fields: dict[str, Any], error: type[NotFound]
) -> None:
    """The order is DAG, task, run, task instance; `load` is a task of another run of the DAG."""
    store = make_store()
    for known in (
        {},
        {"run_id": "other", "task_id": "load"},
        {"dag_id": "their", "run_id": "theirs", "task_id": "theirs"},
    ):
        store.create(key_with(**known), "1")
    before = exported_runs(make_store())
    strict = make_store(require_parents=True)

    with pytest.raises(NotFound) as error_info:
        strict.create(key_with(**fields), "1")

    name = key_with(**fields)
    assert type(error_info.value) is error
    assert (
        error_info.value.dag_id,
        error_info.value.run_id,
        error_info.value.task_id,
        error_info.value.map_index,
    ) == (name.dag_id, name.run_id, name.task_id, name.map_index)
    assert exported_runs(make_store()) == before
    assert store.list(Filter.of(), limit=9).total_entries == 3


def test_entry_with_registered_parents_is_stored(make_store: MakeStore) -> None:
    make_store().create(key_with(), "1")

    strict = make_store(require_parents=True)

    assert strict.create(key_with(key="other"), "1").run_date == RUN_DATE


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
def test_impossible_id_is_not_found(
    make_store: MakeStore, fields: list[str], error: type[NotFound], bad: str
) -> None:
    store = make_store()

    with pytest.raises(NotFound) as error_info:
        store.create(key_with(**dict.fromkeys(fields, bad)), "1")

    assert type(error_info.value) is error
    assert exported_runs(make_store()) == []


@pytest.mark.parametrize("field", ["dag_id", "task_id", "run_id"])
@pytest.mark.parametrize("good", ["~~", "x~", "x" * MAX_ID_LENGTH, "鍵" * MAX_ID_LENGTH])
def test_valid_id_is_registered(store: XComStore, field: str, good: str) -> None:
    store.create(key_with(**{field: good}), "1")

    assert store.get(key_with(**{field: good})).value == "1"


def test_rejected_entry_registers_no_run(store: XComStore, make_store: MakeStore) -> None:
    with pytest.raises(DateMismatch):
        store.create(key_with(), "1", run_date=RUN_DATE + timedelta(days=1))

    strict = make_store(require_parents=True)
    with pytest.raises(DagNotFound):
        strict.create(key_with(), "1")
