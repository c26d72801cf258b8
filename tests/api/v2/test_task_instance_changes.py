"""Changing and clearing task instances: states, notes, relatives, ranges and dry runs."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import load
from tests.support.v2_calls import error_detail

DAG = "/api/v2/dags/etl"
STATES = {"a": "success", "b": "failed", "c": "upstream_failed", "d": "running"}
TASKS: list[dict[str, Any]] = [
    {"task_id": "a", "downstream_task_ids": ["b"]},
    {"task_id": "b", "downstream_task_ids": ["c"], "retries": 2},
    {"task_id": "c"},
    {"task_id": "d"},
    {"task_id": "m", "mapped": 2},
]


def run(day: int) -> dict[str, Any]:
    instances = [{"task_id": name, "state": state} for name, state in STATES.items()]
    mapped = [{"task_id": "m", "map_index": index, "state": "failed"} for index in range(2)]
    return {
        "dag_id": "etl",
        "run_id": f"r{day}",
        "logical_date": f"2024-01-0{day}T00:00:00Z",
        "state": "failed",
        "task_instances": [*instances, *mapped],
    }


@pytest.fixture
def seeded(client: FlaskClient, database_url: str) -> FlaskClient:
    undated = {"dag_id": "etl", "run_id": "undated", "task_instances": [{"task_id": "b"}]}
    script = {"states": ["queued"]}
    document = {
        "dags": [{"dag_id": "etl", "tasks": TASKS, "script": script}],
        "dag_runs": [run(1), run(2), run(3), undated],
    }
    load(database_url, json.dumps(document))
    return client


def path(task: str, day: int = 1) -> str:
    return f"{DAG}/dagRuns/r{day}/taskInstances/{task}"


def states(client: FlaskClient, day: int = 1) -> dict[str, Any]:
    """Return the states of a run's task instances by task, with the index of mapped ones."""
    body = client.get(f"{DAG}/dagRuns/r{day}/taskInstances").get_json()
    return {name(each): each["state"] for each in body["task_instances"]}


def name(instance: dict[str, Any]) -> str:
    index = instance["map_index"]
    return str(instance["task_id"]) + ("" if index < 0 else str(index))


def names(body: dict[str, Any]) -> list[str]:
    assert body["total_entries"] == len(body["task_instances"])
    return [name(each) for each in body["task_instances"]]


def test_a_state_is_set_and_later_failed_tasks_are_cleared(seeded: FlaskClient) -> None:
    body = seeded.patch(path("b"), json={"new_state": "SUCCESS"}).get_json()

    assert names(body) == ["b"]
    assert body["task_instances"][0]["state"] == "success"
    assert states(seeded) == {**STATES, "b": "success", "c": None, "m0": "failed", "m1": "failed"}
    assert states(seeded, 2)["c"] == "upstream_failed"
    assert seeded.get(f"{DAG}/dagRuns/r1").get_json()["state"] == "queued"


def test_the_state_of_the_run_is_kept_if_nothing_is_cleared(seeded: FlaskClient) -> None:
    seeded.patch(path("d"), json={"new_state": "skipped"})

    assert states(seeded)["d"] == "skipped"
    assert seeded.get(f"{DAG}/dagRuns/r1").get_json()["state"] == "failed"


def test_a_state_that_is_set_already_is_a_conflict(seeded: FlaskClient) -> None:
    answer = seeded.patch(path("b"), json={"new_state": "failed", "note": "n"})

    assert error_detail(answer, 409) == "Task id b is already in failed state"
    assert seeded.get(path("b")).get_json()["note"] is None


def test_one_index_or_all_of_a_mapped_task_are_set(seeded: FlaskClient) -> None:
    one = seeded.patch(path("m/1"), json={"new_state": "success"}).get_json()
    assert names(one) == ["m1"]
    assert states(seeded)["m0"] == "failed"

    every = seeded.patch(path("m"), json={"new_state": "success"}).get_json()
    assert names(every) == ["m0", "m1"]
    assert states(seeded)["m0"] == "success"
    assert names(seeded.patch(path("m?map_index=0"), json={"note": "n"}).get_json()) == ["m0"]


def test_relatives_and_other_runs_are_set(seeded: FlaskClient) -> None:
    body = {"new_state": "skipped", "include_upstream": True, "include_future": True}
    assert names(seeded.patch(path("b", 2), json=body).get_json()) == ["b"]

    assert [states(seeded, day)["a"] for day in (1, 2, 3)] == ["success", "skipped", "skipped"]
    assert [states(seeded, day)["b"] for day in (1, 2, 3)] == ["failed", "skipped", "skipped"]

    body = {"new_state": "success", "include_downstream": True, "include_past": True}
    seeded.patch(path("b", 2), json=body)
    assert [states(seeded, day)["c"] for day in (1, 2, 3)] == ["success", "success", None]


def test_a_dry_run_returns_what_would_change(seeded: FlaskClient) -> None:
    body = {"new_state": "failed", "include_upstream": True, "include_downstream": True}
    assert names(seeded.patch(path("b/dry_run"), json=body).get_json()) == ["a", "c"]
    assert names(seeded.patch(path("m/1/dry_run"), json={"new_state": "success"}).get_json()) == [
        "m1"
    ]
    assert names(seeded.patch(path("b/dry_run"), json={"note": "n"}).get_json()) == ["b"]
    assert states(seeded) == {**STATES, "m0": "failed", "m1": "failed"}


def test_notes_are_set_by_mask_too(seeded: FlaskClient) -> None:
    def note(query: str, body: dict[str, Any]) -> Any:
        answer = seeded.patch(path(f"b{query}"), json=body)
        return answer.get_json()["task_instances"][0]["note"]

    assert note("", {"note": "n"}) == "n"
    assert note("", {"note": None}) == "n"
    assert note("?update_mask=note", {"new_state": "success", "note": None}) is None
    assert note("?update_mask=other", {"note": "m"}) is None
    assert note("", {"note": "m"}) == "m"
    assert note("", {"note": ""}) is None
    assert states(seeded)["b"] == "failed"


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("etl/dagRuns/r1/taskInstances/nope", "Task 'nope' not found in Dag 'etl'"),
        ("nope/dagRuns/r1/taskInstances/a", "The Dag with ID: `nope` was not found"),
        (
            "etl/dagRuns/nope/taskInstances/a",
            [
                "The Task Instance with dag_id: `etl`, run_id: `nope`, task_id: `a`"
                " and map_index: `None` was not found"
            ],
        ),
    ],
)
@pytest.mark.parametrize("end", ["", "/dry_run"])
def test_changes_of_missing_task_instances_are_refused(
    seeded: FlaskClient, path: str, end: str, detail: Any
) -> None:
    answer = seeded.patch(f"/api/v2/dags/{path}{end}", json={"new_state": "success"})

    assert error_detail(answer, 404) == detail


def cleared(client: FlaskClient, **body: Any) -> list[str]:
    """Return the names of the task instances that a body clears, or would clear."""
    return names(client.post(f"{DAG}/clearTaskInstances", json=body).get_json())


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, "b c m0 m1"),
        ({"only_failed": False}, "a b c d m0 m1"),
        ({"only_failed": False, "only_running": True}, "d"),
        ({"task_ids": ["b", ["m", 1]]}, "b m1"),
        ({"task_ids": ["b"], "include_downstream": True}, "b c"),
        ({"task_ids": ["c"], "include_upstream": True, "only_failed": False}, "a b c"),
    ],
)
def test_a_dry_run_of_a_clear_selects_by_state_and_task(
    seeded: FlaskClient, body: dict[str, Any], expected: str
) -> None:
    assert cleared(seeded, dag_run_id="r1", **body) == expected.split()
    assert states(seeded)["b"] == "failed"


@pytest.mark.parametrize(
    ("body", "count"),
    [
        ({}, 3),
        ({"start_date": "2024-01-02T02:00:00+02:00"}, 2),
        ({"end_date": "2024-01-01T12:00:00Z"}, 1),
        ({"dag_run_id": "r2", "include_future": True}, 2),
        ({"dag_run_id": "r2", "include_past": True}, 2),
        ({"dag_run_id": "r2", "include_past": True, "include_future": True}, 3),
    ],
)
def test_a_clear_selects_runs_by_date(
    seeded: FlaskClient, body: dict[str, Any], count: int
) -> None:
    assert cleared(seeded, task_ids=["b"], **body) == ["b"] * count


def test_a_clear_resets_states_and_runs(seeded: FlaskClient) -> None:
    body = {"dag_run_id": "r1", "dry_run": False, "only_failed": False, "note": "again"}

    assert cleared(seeded, task_ids=["b", "d"], **body) == ["b", "d"]
    assert (states(seeded)["b"], states(seeded)["d"]) == (None, "restarting")
    instance = seeded.get(path("b")).get_json()
    assert (instance["note"], instance["max_tries"]) == ("again", 3)
    assert seeded.get(f"{DAG}/dagRuns/r1").get_json()["state"] == "queued"


def test_a_clear_can_leave_the_run(seeded: FlaskClient) -> None:
    cleared(seeded, dag_run_id="r1", dry_run=False, reset_dag_runs=False)

    assert states(seeded)["b"] is None
    assert seeded.get(f"{DAG}/dagRuns/r1").get_json()["state"] == "failed"


def test_a_clear_can_be_refused_while_a_task_runs(seeded: FlaskClient) -> None:
    body = {"dag_run_id": "r1", "only_failed": False, "prevent_running_task": True}
    assert len(cleared(seeded, **body)) == 6

    answer = seeded.post(f"{DAG}/clearTaskInstances", json=body | {"dry_run": False})

    assert "prevent_running_task" in error_detail(answer, 409)
    assert states(seeded)["b"] == "failed"


@pytest.mark.parametrize(
    ("dag_id", "body", "status", "detail"),
    [
        ("nope", {}, 404, "The Dag with ID: `nope` was not found"),
        ("etl", {"dag_run_id": "nope"}, 404, "Dag Run id nope not found in dag etl"),
        (
            "etl",
            {"dag_run_id": "undated", "include_past": True},
            400,
            "Cannot use include_past or include_future with no logical_date(e.g. manually or"
            " asset-triggered).",
        ),
    ],
)
def test_clears_of_unknown_runs_are_refused(
    seeded: FlaskClient, dag_id: str, body: dict[str, Any], status: int, detail: str
) -> None:
    answer = seeded.post(f"/api/v2/dags/{dag_id}/clearTaskInstances", json=body)

    assert error_detail(answer, status) == detail
