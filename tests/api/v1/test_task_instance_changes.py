"""Task instances in v1: changing their states and notes, and clearing them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.task_instance_seed import SEED, listed, load
from tests.support.v1_calls import assert_refused, dag, entry, error_detail, instances, run

ONE = instances(dag_run_id="one")
CLEAR = f"{dag()}/clearTaskInstances"
REFERENCE = {
    "dag_id": "etl",
    "dag_run_id": "one",
    "execution_date": "2024-01-01T00:00:00+00:00",
    "task_id": "load",
}


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with seven task instances."""
    return load(client)


def states(client: FlaskClient, path: str = ONE) -> list[str | None]:
    """Return the states of the task instances of a run."""
    return [each["state"] for each in client.get(path).get_json()["task_instances"]]


def test_state_is_changed(seeded: FlaskClient) -> None:
    answer = seeded.patch(f"{ONE}/load", json={"new_state": "skipped", "dry_run": False})

    assert (answer.status_code, answer.text) == (200, "{}\n")
    changed = seeded.get(f"{ONE}/load").get_json()
    assert (changed["state"], changed["duration"]) == ("skipped", 0.0)
    assert changed["start_date"] == changed["end_date"]


def test_failed_task_instances_of_later_tasks_are_cleared(seeded: FlaskClient) -> None:
    seeded.patch(f"{ONE}/load", json={"new_state": "success", "dry_run": False})

    assert states(seeded) == ["success", "success", None, None]
    assert states(seeded, instances(dag_run_id="two")) == ["running", "deferred"]
    assert seeded.get(run("one")).get_json()["state"] == "queued"


def test_dates_of_a_finished_task_instance_are_kept(seeded: FlaskClient) -> None:
    seeded.patch(f"{ONE}/extract", json={"new_state": "failed", "dry_run": False})

    changed = seeded.get(f"{ONE}/extract").get_json()
    assert (changed["state"], changed["duration"]) == ("failed", 2.5)


@pytest.mark.parametrize("body", [{"dry_run": True}, {}])
def test_dry_run_is_the_default(seeded: FlaskClient, body: dict[str, Any]) -> None:
    answer = seeded.patch(f"{ONE}/load", json={"new_state": "success", **body})

    assert answer.get_json() == REFERENCE
    assert states(seeded)[1] is None


def test_state_of_a_mapped_task_instance_is_changed(seeded: FlaskClient) -> None:
    seeded.patch(f"{ONE}/mapped/1", json={"new_state": "success", "dry_run": False})

    assert states(seeded) == ["success", None, "upstream_failed", "success"]
    assert seeded.get(run("one")).get_json()["state"] == "failed"


@pytest.mark.parametrize(
    ("path", "title", "detail"),
    [
        (f"{instances('nope', 'x')}/load", "DAG not found", "DAG 'nope' not found"),
        (f"{ONE}/nope", "Task not found", "Task 'nope' not found in DAG 'etl'"),
        (
            f"{ONE}/mapped",
            "Not Found",
            "Task instance not found for task 'mapped' on DAG run with ID 'one'",
        ),
        (
            f"{instances(dag_run_id='nope')}/load",
            "Not Found",
            "Task instance not found for task 'load' on DAG run with ID 'nope'",
        ),
        (f"{instances('other', 'one')}/nope", "Task not found", None),
    ],
)
def test_unknown_task_instance_is_not_changed(
    seeded: FlaskClient, path: str, title: str, detail: str | None
) -> None:
    found = error_detail(seeded.patch(path, json={"new_state": "success"}), 404, title)

    assert found == detail or detail is None


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "{'new_state': ['Missing data for required field.']}"),
        ({"new_state": "success", "foo": 1}, "{'foo': ['Unknown field.']}"),
        (
            {"new_state": "running"},
            "'running' is not one of ['success', 'failed', 'skipped'] - 'new_state'",
        ),
        (
            {"new_state": "success", "dry_run": "no"},
            "'no' is not of type 'boolean' - 'dry_run'",
        ),
    ],
)
def test_invalid_state_is_refused_before_the_dag_is_looked_up(
    seeded: FlaskClient, body: dict[str, Any], detail: str
) -> None:
    answer = seeded.patch(f"{instances('nope', 'x')}/load", json=body)

    assert error_detail(answer, 400) == detail


@pytest.mark.parametrize("note", ["checked", "", "x" * 1000])
@pytest.mark.parametrize("task", ["load", "mapped/0"])
def test_note_is_changed(seeded: FlaskClient, task: str, note: str) -> None:
    answer = seeded.patch(f"{ONE}/{task}/setNote", json={"note": note})

    assert answer.get_json()["note"] == note
    assert seeded.get(f"{ONE}/{task}").get_json() == answer.get_json()


def test_map_index_in_the_body_of_a_note_is_ignored(seeded: FlaskClient) -> None:
    seeded.patch(f"{ONE}/mapped/1/setNote", json={"note": "n", "map_index": 0})

    assert seeded.get(f"{ONE}/mapped/0").get_json()["note"] is None
    assert seeded.get(f"{ONE}/mapped/1").get_json()["note"] == "n"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({}, "'note' is a required property"),
        ({"note": None}, "None is not of type 'string' - 'note'"),
        ({"note": "x" * 1001}, "{'note': ['Longer than maximum length 1000.']}"),
        ({"note": "n", "foo": 1}, "{'foo': ['Unknown field.']}"),
    ],
)
def test_invalid_note_is_refused(seeded: FlaskClient, body: dict[str, Any], detail: str) -> None:
    assert error_detail(seeded.patch(f"{ONE}/load/setNote", json=body), 400) == detail


@pytest.mark.parametrize("task", ["mapped", "nope"])
def test_note_of_an_unknown_task_instance_is_a_404(seeded: FlaskClient, task: str) -> None:
    answer = seeded.patch(f"{ONE}/{task}/setNote", json={"note": "n"})

    title = f"Task Instance not found for dag_id=etl, run_id=one, task_id={task}"
    assert error_detail(answer, 404, title) is None


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, ["one/mapped", "one/mapped"]),
        ({"dag_run_id": "two"}, []),
        ({"dag_run_id": "two", "only_failed": False}, ["two/extract", "two/load"]),
        ({"only_failed": False, "only_running": True}, ["two/extract"]),
        ({"task_ids": ["extract", "nope"], "only_failed": False}, ["one/extract", "two/extract"]),
        (
            {"task_ids": ["load"], "only_failed": False, "include_upstream": True},
            ["one/extract", "one/load", "two/extract", "two/load"],
        ),
        (
            {"task_ids": ["load"], "dag_run_id": "one", "include_downstream": True},
            ["one/mapped", "one/mapped"],
        ),
        ({"start_date": "2024-01-02T00:00:00Z", "only_failed": False}, ["two/extract", "two/load"]),
        ({"end_date": "2024-01-02T00:00:00+01:00"}, ["one/mapped", "one/mapped"]),
        (
            {"dag_run_id": "one", "task_ids": ["extract"], "only_failed": False}
            | {"include_future": True},
            ["one/extract", "two/extract"],
        ),
        (
            {"dag_run_id": "two", "task_ids": ["load"], "only_failed": False}
            | {"include_past": True},
            ["one/load", "two/load"],
        ),
    ],
)
def test_dry_clear_lists_task_instances(
    seeded: FlaskClient, body: dict[str, Any], expected: list[str]
) -> None:
    before = states(seeded), states(seeded, instances(dag_run_id="two"))

    answer = seeded.post(CLEAR, json=body)

    assert listed(answer.get_json()) == expected
    assert (states(seeded), states(seeded, instances(dag_run_id="two"))) == before


def test_clear_keeps_dates_entries_and_the_run(seeded: FlaskClient) -> None:
    body = {"dag_run_id": "one", "task_ids": ["extract"], "only_failed": False, "dry_run": False}

    answer = seeded.post(CLEAR, json=body)

    assert answer.get_json() == {"task_instances": [REFERENCE | {"task_id": "extract"}]}
    cleared = seeded.get(f"{ONE}/extract").get_json()
    assert (cleared["state"], cleared["duration"]) == (None, 2.5)
    assert (cleared["try_number"], cleared["max_tries"]) == (2, 4)
    assert seeded.get(run("one")).get_json()["state"] == "failed"
    assert seeded.get(entry("k", dag_run_id="one")).status_code == 200
    assert len(seeded.get(f"{ONE}/extract/tries").get_json()["task_instances"]) == 3


def test_clear_can_queue_the_runs_again(seeded: FlaskClient) -> None:
    body = {"dag_run_id": "one", "dry_run": False, "reset_dag_runs": True}

    seeded.post(CLEAR, json=body)

    assert states(seeded) == ["success", None, None, None]
    assert seeded.get(run("one")).get_json()["state"] == "queued"


@pytest.mark.parametrize(
    ("path", "body", "title"),
    [
        (f"{dag('nope')}/clearTaskInstances", {}, "Dag id nope not found"),
        (f"{dag('~')}/clearTaskInstances", {}, "Dag id ~ not found"),
        (CLEAR, {"dag_run_id": "nope"}, "Dag Run id nope not found in dag etl"),
    ],
)
def test_clear_of_an_unknown_dag_or_run_is_a_404(
    seeded: FlaskClient, path: str, body: dict[str, Any], title: str
) -> None:
    assert error_detail(seeded.post(path, json=body), 404, title) is None


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"only_running": True},
            "{'_schema': ['only_failed and only_running both are set to True']}",
        ),
        (
            {"start_date": "2024-01-02T00:00:00Z", "end_date": "2024-01-01T00:00:00Z"},
            "{'_schema': ['end_date is sooner than start_date']}",
        ),
        (
            {"dag_run_id": "one", "end_date": "2024-01-01T00:00:00Z"},
            "{'_schema': ['Exactly one of dag_run_id or end_date must be provided']}",
        ),
        (
            {"dag_run_id": "one", "start_date": "2024-01-01T00:00:00Z"}
            | {"end_date": "2024-01-01T00:00:00Z"},
            "{'_schema': ['Exactly one of dag_run_id or (start_date and end_date) must be"
            " provided']}",
        ),
        ({"foo": 1}, "{'foo': ['Unknown field.']}"),
        ({"start_date": "x"}, "{'start_date': ['Not a valid datetime.']}"),
    ],
)
def test_invalid_clear_is_refused(seeded: FlaskClient, body: dict[str, Any], detail: str) -> None:
    assert error_detail(seeded.post(CLEAR, json=body), 400) == detail


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", f"{ONE}/load", {"new_state": "success", "dry_run": False}),
        ("PATCH", f"{ONE}/load/setNote", {"note": "n"}),
        ("POST", CLEAR, {"dry_run": False}),
    ],
)
def test_viewer_changes_nothing(
    make_client: Callable[..., FlaskClient],
    users_file: Path,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    client = load(make_client(auth="users", users_file=str(users_file)))
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic dmlld2VyOnZpZXdlcg=="
    before = client.get(ONE).get_json()

    assert_refused(client.open(path, method=method, json=body), 403, "Forbidden")

    assert client.get(ONE).get_json() == before
    assert SEED["dag_runs"][0]["state"] == "failed"
