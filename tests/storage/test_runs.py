"""Triggered runs: their steps, their task instances and their entries, on every database."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from xcom_server import seed_file
from xcom_server.errors import (
    DagNotFound,
    RunExists,
    RunIsRunning,
    RunNotFound,
    TaskInstanceNotFound,
)
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.runs import NewRun
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskKey

from tests.support.stores import MakeStore

DATE = datetime(2024, 1, 1, tzinfo=UTC)


def new_run(run_id: str = "r", **fields: Any) -> NewRun:
    given: dict[str, Any] = {
        "dag_id": "etl",
        "run_id": run_id,
        "logical_date": None,
        "run_after": DATE,
        "data_interval_start": None,
        "data_interval_end": None,
    }
    return NewRun(**given | fields)


@pytest.fixture
def store(make_store: MakeStore) -> XComStore:
    return make_store()


def test_triggered_run_takes_a_step_with_each_read(store: XComStore) -> None:
    triggered = store.runs.trigger(new_run(conf='{"a": 1}'))

    reads = [store.runs.get("etl", "r") for _ in range(4)]

    assert triggered.state == "queued"
    assert [run.state for run in reads] == ["queued", "running", "success", "success"]
    assert reads[0]._replace(step=None) == triggered._replace(step=None)
    assert reads[3].start_date
    assert reads[3].end_date
    assert reads[3].duration == (reads[3].end_date - reads[3].start_date).total_seconds()


def test_list_that_shows_a_run_takes_a_step(store: XComStore) -> None:
    store.runs.trigger(new_run())
    store.runs.trigger(new_run("s"))

    pages = [store.runs.list(Filter.of("etl"), limit=9) for _ in range(3)]

    assert [page.total_entries for page in pages] == [2, 2, 2]
    assert [[run.state for run in page.entries] for page in pages] == [
        ["queued", "queued"],
        ["running", "running"],
        ["success", "success"],
    ]


def test_task_instances_of_a_known_task_follow_their_run(store: XComStore) -> None:
    store.create(XComKey("etl", "before", "extract", -1, "k"), "1")
    store.runs.trigger(new_run())
    key = TaskKey("etl", "r", "extract")

    states = []
    for _ in range(3):
        states.append(store.task_instances.get(key).state)
        store.runs.get("etl", "r")

    assert states == [None, "running", "success"]
    assert store.task_instances.list(Filter.of("etl", "r"), limit=9).total_entries == 1
    assert store.task_instances.list(Filter.of("etl"), limit=9).total_entries == 2


def test_run_with_the_same_id_or_date_is_refused(store: XComStore) -> None:
    store.runs.trigger(new_run("r", logical_date=DATE))

    with pytest.raises(RunExists) as same_date:
        store.runs.trigger(new_run("s", logical_date=DATE))
    with pytest.raises(RunExists) as same_id:
        store.runs.trigger(new_run("r"))

    assert (same_date.value.by_date, same_id.value.by_date) == (True, False)
    assert store.runs.list(Filter.of(), limit=9).total_entries == 1


def test_unknown_dag_is_refused_if_parents_are_required(make_store: MakeStore) -> None:
    strict = make_store(require_parents=True)

    with pytest.raises(DagNotFound):
        strict.runs.trigger(new_run())


def test_deleted_run_takes_its_entries_along(store: XComStore) -> None:
    store.create(XComKey("etl", "r", "extract", -1, "k"), "1")
    store.runs.delete("etl", "r", even_if_running=False)

    assert store.list(Filter.of(), limit=9).total_entries == 0
    assert store.task_instances.list(Filter.of(), limit=9).total_entries == 0
    with pytest.raises(RunNotFound):
        store.runs.get("etl", "r")


def test_running_run_is_deleted_only_on_request(store: XComStore) -> None:
    store.runs.trigger(new_run())
    store.runs.get("etl", "r")

    with pytest.raises(RunIsRunning):
        store.runs.delete("etl", "r", even_if_running=False)
    store.runs.delete("etl", "r", even_if_running=True)

    assert store.runs.list(Filter.of("etl"), limit=9).total_entries == 0


def test_no_run_has_an_id_with_nul(store: XComStore) -> None:
    store.runs.trigger(new_run(logical_date=DATE))

    store.runs.require_new(new_run("r\0"))
    with pytest.raises(RunExists):
        store.runs.require_new(new_run("r\0", logical_date=DATE))


@pytest.mark.parametrize("name", ["x" * 251, "x" * 2600])
def test_what_has_too_long_ids_is_not_found(store: XComStore, name: str) -> None:
    key = TaskKey(name, name, name)

    with pytest.raises(RunNotFound):
        store.runs.delete(name, name, even_if_running=True)
    with pytest.raises(TaskInstanceNotFound):
        store.task_instances.delete(key)
    with pytest.raises(DagNotFound):
        store.dags.delete(name)
    with pytest.raises(DagNotFound):
        store.dags.set_paused(name, True)
    with pytest.raises(RunNotFound):
        store.runs.clear(name, name, restarting=True)
    assert store.task_instances.set_note([key], "n") == []


def test_cleared_run_starts_again_and_keeps_its_entries(store: XComStore) -> None:
    store.create(XComKey("etl", "r", "extract", -1, "k"), "1")

    run = store.runs.clear("etl", "r", restarting=True)

    assert run.state == "queued"
    assert store.task_instances.get(TaskKey("etl", "r", "extract")).state is None
    assert store.list(Filter.of(), limit=9).total_entries == 1
    assert [store.runs.get("etl", "r").state for _ in range(3)] == ["queued", "running", "success"]


def test_clear_without_a_matching_task_instance_changes_nothing(store: XComStore) -> None:
    store.create(XComKey("etl", "r", "extract", -1, "k"), "1")

    run = store.runs.clear("etl", "r", only_states=["failed"], restarting=True)

    assert run.state == "success"
    assert store.task_instances.get(TaskKey("etl", "r", "extract")).state == "success"


def test_a_state_and_a_note_are_set_at_once(store: XComStore) -> None:
    store.runs.trigger(new_run(note="old"))

    failed = store.runs.set_state("etl", "r", "failed", {}, note="new")
    cleared = store.runs.clear("etl", "r", restarting=True, note=None)

    assert (failed.state, failed.note) == ("failed", "new")
    assert (cleared.state, cleared.note) == ("queued", None)
    assert store.runs.set_state("etl", "r", "failed", {}).note is None


def test_cleared_task_instance_that_is_running_has_a_duration(store: XComStore) -> None:
    store.create(XComKey("etl", "r", "extract", -1, "k"), "1")
    key = TaskKey("etl", "r", "extract")
    store.task_instances.set_state([key], "running")

    store.runs.clear("etl", "r", restarting=True)

    cleared = store.task_instances.get(key)
    assert cleared.state == "restarting"
    assert cleared.end_date
    assert cleared.start_date
    assert cleared.duration == (cleared.end_date - cleared.start_date).total_seconds()


def test_run_of_a_dag_without_tasks_has_no_task_instances(store: XComStore) -> None:
    store.create(XComKey("etl", "r", "extract", -1, "k"), "1")

    triggered = [store.runs.trigger(new_run(name, dag_id=name)) for name in ("etl", "empty")]

    assert [run.has_task_instances for run in triggered] == [True, False]
    assert store.runs.get("etl", "etl").has_task_instances
    assert not store.runs.get("empty", "empty").has_task_instances


def test_state_of_a_run_can_be_set(store: XComStore) -> None:
    store.create(XComKey("etl", "other", "extract", -1, "k"), "1")
    store.runs.trigger(new_run())

    failed = store.runs.set_state("etl", "r", "failed", {None: "skipped"})

    assert failed.state == "failed"
    assert store.task_instances.get(TaskKey("etl", "r", "extract")).state == "skipped"
    assert store.runs.get("etl", "r").state == "failed"


def test_paused_dag_takes_no_steps(store: XComStore) -> None:
    store.runs.trigger(new_run())
    assert store.dags.set_paused("etl", True).is_paused is True

    assert [store.runs.get("etl", "r").state for _ in range(3)] == ["queued"] * 3

    store.dags.set_paused("etl", False)
    assert [store.runs.get("etl", "r").state for _ in range(3)] == ["queued", "running", "success"]


def test_several_dags_are_paused_at_once(store: XComStore) -> None:
    for dag_id in ("b", "a"):
        store.runs.trigger(new_run(dag_id=dag_id))

    paused = store.dags.set_all_paused(["b", "unknown", "a"], True)

    assert [(dag.dag_id, dag.is_paused) for dag in paused] == [("a", True), ("b", True)]
    assert store.dags.get("b").is_paused is True


def test_registered_dag_has_defaults(store: XComStore) -> None:
    store.runs.trigger(new_run())

    dag = store.dags.get("etl")

    assert (dag.is_paused, dag.is_stale, dag.owner_names, dag.tag_names) == (
        False,
        False,
        ["airflow"],
        [],
    )
    assert json.loads(dag.definition) == {}
    assert store.dags.list(Filter.of(), limit=9).total_entries == 1


def test_cleared_task_instance_takes_its_columns_from_the_task(store: XComStore) -> None:
    instance = {"task_id": "a", "pool": "small", "queue": "q", "executor": "e", "try_number": 2}
    document = {
        "dags": [{"dag_id": "etl", "tasks": [{"task_id": "a", "retries": 3, "pool": "big"}]}],
        "dag_runs": [{"dag_id": "etl", "run_id": "r", "task_instances": [instance]}],
    }
    store.load(seed_file.read(json.dumps(document)))

    store.runs.clear("etl", "r", restarting=False)

    cleared = store.task_instances.get(TaskKey("etl", "r", "a"))
    assert (cleared.pool, cleared.queue, cleared.executor) == ("big", "default", None)
    assert (cleared.operator, cleared.max_tries) == ("EmptyOperator", 5)


def test_removed_task_instance_without_a_new_state_ends(store: XComStore) -> None:
    instance = {"task_id": "a", "state": "removed"}
    run = {"dag_id": "etl", "run_id": "r", "state": "running", "task_instances": [instance]}
    store.load(seed_file.read(json.dumps({"dag_runs": [run]})))

    store.runs.set_state("etl", "r", "failed", {"removed": None})

    found = store.task_instances.get(TaskKey("etl", "r", "a"))
    assert (found.state, found.start_date, found.duration) == (None, None, None)
    assert found.end_date is not None
