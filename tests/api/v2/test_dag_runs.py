"""Triggering, reading, changing, clearing and deleting a DAG run, as Airflow 3.3.2 does."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.databases import load
from tests.support.v2_calls import create, entries, error_detail, run, runs

PARAMS = {"count": {"value": 3, "schema": {"type": "integer", "maximum": 10}}}


def trigger(client: FlaskClient, run_id: str | None = "r", **body: Any) -> Any:
    return client.post(runs(), json={"logical_date": None, "dag_run_id": run_id, **body})


def states(client: FlaskClient, path: str) -> dict[str, str]:
    """Return the states of the task instances that a dry run of clear lists."""
    listed = client.post(f"{path}/clear", json={"dry_run": True}).get_json()["task_instances"]
    return {each["task_id"]: each["state"] for each in listed}


def test_triggered_run_has_the_fields_of_airflow_in_their_order(client: FlaskClient) -> None:
    answer = trigger(client, logical_date="2024-05-07T01:00:00+02:00", conf={"ü": [1, None]})

    body = json.loads(answer.data)
    generated = {"queued_at", "run_after"}
    assert answer.status_code == 200
    assert answer.data.startswith(b'{"dag_run_id":"r","dag_id":"etl","logical_date":"2024-05-07T')
    assert {name: body[name] for name in body if name not in generated} == {
        "dag_run_id": "r",
        "dag_id": "etl",
        "logical_date": "2024-05-07T01:00:00+02:00",
        "start_date": None,
        "end_date": None,
        "duration": None,
        "data_interval_start": "2024-05-07T01:00:00+02:00",
        "data_interval_end": "2024-05-07T01:00:00+02:00",
        "last_scheduling_decision": None,
        "run_type": "manual",
        "state": "queued",
        "triggered_by": "rest_api",
        "triggering_user_name": "Anonymous",
        "conf": {"ü": [1, None]},
        "note": None,
        "dag_versions": [],
        "bundle_version": None,
        "dag_display_name": "etl",
        "partition_key": None,
        "partition_date": None,
    }


def test_run_is_shown_with_its_version_and_in_utc(client: FlaskClient, database_url: str) -> None:
    load(database_url, json.dumps({"dags": [{"dag_id": "etl", "tasks": [{"task_id": "a"}]}]}))
    trigger(client, logical_date="2024-05-07T01:00:00+02:00")

    body = client.get(run("r")).get_json()

    (version,) = body["dag_versions"]
    assert body["logical_date"] == "2024-05-06T23:00:00Z"
    assert version | {"id": 0, "created_at": 0} == {
        "id": 0,
        "version_number": 1,
        "dag_id": "etl",
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "created_at": 0,
        "dag_display_name": "etl",
        "bundle_url": None,
    }


def test_each_read_moves_a_run_to_its_next_state(client: FlaskClient) -> None:
    trigger(client)

    shown = [client.get(run("r")).get_json()["state"] for _ in range(4)]

    assert shown == ["queued", "running", "success", "success"]


@pytest.mark.parametrize("run_id", [None, ""])
def test_generated_id_contains_run_after(client: FlaskClient, run_id: str | None) -> None:
    answer = trigger(client, run_id, run_after="2024-05-09T00:00:00Z")

    assert answer.get_json()["dag_run_id"] == "manual__2024-05-09T00:00:00+00:00"
    assert error_detail(trigger(client, run_id, run_after="2024-05-09T00:00:00Z"), 409)[
        "reason"
    ] == ("Unique constraint violation")


@pytest.mark.parametrize(
    ("body", "interval"),
    [
        ({"logical_date": "2024-05-10T00:00:00Z"}, ["2024-05-10T00:00:00Z"] * 2),
        ({}, [None, None]),
        (
            {
                "logical_date": "2024-05-10T00:00:00Z",
                "data_interval_start": "2024-05-03T00:00:00Z",
                "data_interval_end": "2024-05-02T00:00:00Z",
            },
            ["2024-05-03T00:00:00Z", "2024-05-02T00:00:00Z"],
        ),
        (
            {
                "data_interval_start": "2024-05-01T00:00:00Z",
                "data_interval_end": "2024-05-02T00:00:00Z",
            },
            [None, None],
        ),
    ],
)
def test_data_interval_defaults_to_the_logical_date(
    client: FlaskClient, body: dict[str, Any], interval: list[str | None]
) -> None:
    shown = trigger(client, **body).get_json()

    assert [shown["data_interval_start"], shown["data_interval_end"]] == interval


def test_referer_marks_a_run_as_triggered_by_the_ui(client: FlaskClient) -> None:
    answer = client.post(runs(), json={"logical_date": None}, headers={"Referer": "http://x/"})

    assert answer.get_json()["triggered_by"] == "ui"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            {"dag_run_id": "a..b"},
            "The run_id 'a..b' must not contain '..' to prevent path traversal",
        ),
        (
            {"dag_run_id": "asset_triggered__x"},
            "A manual DAG run cannot use ID 'asset_triggered__x' since it is reserved for"
            " asset_triggered runs",
        ),
        (
            {"partition_key": "k", "dag_run_id": "a..b"},
            "Dag 'etl' is not a partitioned Dag and does not accept a partition_key.",
        ),
        (
            {"dag_run_id": "a b"},
            "The run_id provided 'a b' does not match regex pattern '^[A-Za-z0-9_.~:+-]+$' or"
            r" '^(?:manual|scheduled|asset_triggered)__(?:\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}"
            r"\+00:00)$'",
        ),
        (
            {"conf": {"count": 11}},
            "Invalid input for param count: 11 is greater than the maximum of 10\n\nFailed"
            " validating 'maximum' in schema:\n    {'type': 'integer', 'maximum': 10}\n\nOn"
            " instance:\n    11",
        ),
    ],
)
def test_invalid_run_is_not_triggered(
    client: FlaskClient, database_url: str, body: dict[str, Any], detail: str
) -> None:
    load(database_url, json.dumps({"dags": [{"dag_id": "etl", "params": PARAMS}]}))

    assert error_detail(client.post(runs(), json={"logical_date": None, **body}), 400) == detail
    assert client.get(runs()).get_json()["total_entries"] == 0


def test_line_feed_at_the_end_of_an_id_is_accepted(client: FlaskClient) -> None:
    assert trigger(client, "a\n").get_json()["dag_run_id"] == "a\n"


@pytest.mark.parametrize("dag_id", ["~", "stale", "unknown"])
def test_dag_that_cannot_be_triggered_is_a_404(
    make_client: Callable[..., FlaskClient], database_url: str, dag_id: str
) -> None:
    load(database_url, json.dumps({"dags": [{"dag_id": "stale", "is_stale": True}]}))
    client = make_client(require_parents=True)

    answer = client.post(runs(dag_id), json={"logical_date": None})

    assert error_detail(answer, 404) == f"Dag with dag_id: '{dag_id}' not found"


def test_run_of_an_unknown_dag_registers_the_dag(client: FlaskClient) -> None:
    assert error_detail(client.get(runs()), 404) == "The Dag with ID: `etl` was not found"

    trigger(client)

    assert client.get(runs()).get_json()["total_entries"] == 1


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("PATCH", "", {"state": "success"}),
        ("PATCH", "", {"note": "n"}),
        ("PATCH", "", {}),
        ("DELETE", "", None),
        ("POST", "/clear", {}),
        ("GET", "/wait?interval=1", None),
    ],
)
def test_missing_run_is_named(client: FlaskClient, method: str, path: str, body: Any) -> None:
    answer = client.open(run("nope") + path, method=method, json=body)

    assert error_detail(answer, 404) == (
        "The DagRun with dag_id: `etl` and run_id: `nope` was not found"
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("success", {"new": "skipped", "old": "failed", "now": "success"}),
        ("failed", {"new": "skipped", "old": "failed", "now": "failed"}),
        ("queued", {"new": None, "old": "failed", "now": "running"}),
    ],
)
def test_new_state_of_a_run_changes_its_task_instances(
    client: FlaskClient, database_url: str, state: str, expected: dict[str, str | None]
) -> None:
    instances = [
        {"task_id": name, "state": each}
        for name, each in (("new", None), ("old", "failed"), ("now", "running"))
    ]
    seeded = {"dag_id": "etl", "run_id": "r", "state": "running", "task_instances": instances}
    load(database_url, json.dumps({"dag_runs": [seeded]}))

    answer = client.patch(run("r"), json={"state": state})

    assert answer.get_json()["state"] == state
    assert (answer.get_json()["end_date"] is None) == (state == "queued")
    assert states(client, run("r")) == expected


@pytest.mark.parametrize(
    ("query", "body", "state", "note"),
    [
        ("", {}, "queued", None),
        ("", {"state": None}, "queued", None),
        ("", {"note": "n", "state": "failed"}, "failed", "n"),
        ("", {"note": ""}, "queued", None),
        ("?update_mask=state", {"note": "n", "state": "failed"}, "failed", None),
        ("?update_mask=state&update_mask=note", {"note": "n"}, "queued", "n"),
        ("?update_mask=state,note", {"note": "n"}, "queued", None),
        ("?update_mask=foo", {"note": "n"}, "queued", None),
    ],
)
def test_patch_changes_the_fields_in_the_body_and_the_mask(
    client: FlaskClient, query: str, body: dict[str, Any], state: str, note: str | None
) -> None:
    trigger(client)

    shown = client.patch(run("r") + query, json=body).get_json()

    assert (shown["state"], shown["note"]) == (state, note)


def test_cleared_run_is_queued_and_keeps_its_entries(client: FlaskClient) -> None:
    create(client)
    path = run("scheduled__2024-01-01T00:00:00+00:00")

    listed = client.post(f"{path}/clear", json={}).get_json()
    cleared = client.post(f"{path}/clear", json={"dry_run": False, "note": "again"}).get_json()

    assert (listed["total_entries"], listed["task_instances"][0]["state"]) == (1, "success")
    assert (cleared["state"], cleared["note"]) == ("queued", "again")
    assert states(client, path) == {"extract": None}
    assert client.get(entries()).get_json()["total_entries"] == 1


@pytest.mark.parametrize("only", ["only_failed", "only_new"])
def test_clear_without_a_matching_task_instance_changes_nothing(
    client: FlaskClient, only: str
) -> None:
    create(client)
    path = run("scheduled__2024-01-01T00:00:00+00:00")

    listed = client.post(f"{path}/clear", json={only: True}).get_json()
    cleared = client.post(f"{path}/clear", json={only: True, "dry_run": False}).get_json()

    assert listed == {"task_instances": [], "total_entries": 0}
    assert cleared["state"] == "success"


def test_clear_of_only_new_and_only_failed_is_rejected(client: FlaskClient) -> None:
    answer = client.post(f"{run('r')}/clear", json={"only_new": True, "only_failed": True})

    (error,) = error_detail(answer, 422)
    assert error["msg"] == "Value error, only_new and only_failed are mutually exclusive"


def test_deleted_run_is_gone_with_its_entries(client: FlaskClient) -> None:
    create(client)
    path = run("scheduled__2024-01-01T00:00:00+00:00")

    assert client.delete(path).status_code == 204
    assert client.get(path).status_code == 404
    assert client.get(entries()).get_json()["total_entries"] == 0


def test_running_run_is_not_deleted(client: FlaskClient) -> None:
    trigger(client)
    client.get(run("r"))

    assert error_detail(client.delete(run("r")), 409) == (
        "The DagRun with dag_id: `etl` and run_id: `r` cannot be deleted in running state"
    )


@pytest.mark.parametrize("method", ["POST", "PATCH", "DELETE", "PUT", "HEAD", "OPTIONS"])
def test_method_other_than_get_without_a_route_is_a_405(client: FlaskClient, method: str) -> None:
    answer = client.open(f"{runs()}/r/setNote", method=method)

    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET")
