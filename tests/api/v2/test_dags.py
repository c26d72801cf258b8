"""Operations on DAGs and tasks: filters, pausing, deleting, and the order of the checks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write

from tests.support.databases import load
from tests.support.v2_calls import entries, error_detail

DAGS = "/api/v2/dags"
ASSETS = {
    "any": [{"asset": {"uri": "s3://bucket/table", "name": "Table"}}, {"alias": {"name": "x"}}]
}
SEED = {
    "dags": [
        {"dag_id": "a", "tags": ["t1", "t2"], "owners": ["ann", "bob"], "schedule": "@daily"},
        {"dag_id": "b", "tags": ["t2"], "is_paused": True, "dag_display_name": "Größe"},
        {"dag_id": "c", "schedule": {"assets": ASSETS}, "tasks": [{"task_id": "load"}]},
        {"dag_id": "gone", "is_stale": True},
    ],
    "dag_runs": [
        {"dag_id": "b", "run_id": "r", "state": "failed", "logical_date": "2024-01-01T00:00:00Z"}
    ],
}


@pytest.fixture
def seeded(client: FlaskClient, database_url: str) -> FlaskClient:
    load(database_url, json.dumps(SEED))
    return client


def ids(client: FlaskClient, query: str) -> list[str]:
    """Return the ids of the DAGs that a query lists."""
    body = client.get(f"{DAGS}?{query}").get_json()
    assert body["total_entries"] == len(body["dags"])
    return [dag["dag_id"] for dag in body["dags"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "a b c"),
        ("exclude_stale=false", "a b c gone"),
        ("paused=true", "b"),
        ("paused=false", "a c"),
        ("tags=t2", "a b"),
        ("tags=t1&tags=t2", "a b"),
        ("tags=t1&tags=t2&tags_match_mode=all", "a"),
        ("tags=t1,t2", ""),
        ("owners=ANN", "a"),
        ("dag_display_name_pattern=gr", "b"),
        ("dag_id_pattern=a|C", "a c"),
        ("dag_id_prefix_pattern=C", ""),
        ("last_dag_run_state=failed", "b"),
        ("dag_run_state=failed&dag_run_state=queued", "b"),
        ("dag_run_start_date_lt=2024-01-02T00:00:00Z", "b"),
        ("has_import_errors=true", ""),
        ("has_import_errors=false", "a b c"),
        ("is_favorite=true", ""),
        ("bundle_name=dags-folder", "a b c"),
        ("bundle_name=other", ""),
        ("bundle_version=1", ""),
        ("has_asset_schedule=true", "c"),
        ("has_asset_schedule=false&paused=false", "a"),
        ("asset_dependency=BUCKET", "c"),
        ("asset_dependency=table", "c"),
        ("asset_dependency=nope", ""),
        ("timetable_type=CronTriggerTimetable&timetable_type=NullTimetable", "a b"),
        ("order_by=-dag_display_name", "c a b"),
        ("order_by=-last_run_state&order_by=dag_id", "b a c"),
    ],
)
def test_lists_are_filtered_and_ordered(seeded: FlaskClient, query: str, expected: str) -> None:
    assert ids(seeded, query) == expected.split()


def test_a_page_has_the_total(seeded: FlaskClient) -> None:
    body = seeded.get(f"{DAGS}?limit=1&offset=1").get_json()

    assert [dag["dag_id"] for dag in body["dags"]] == ["b"]
    assert body["total_entries"] == 3


def test_unknown_field_in_order_by_is_refused(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{DAGS}?order_by=is_paused")

    assert error_detail(answer, 400) == (
        "Ordering with 'is_paused' is disallowed or the attribute does not exist on the model"
    )


def test_dag_is_paused(seeded: FlaskClient) -> None:
    answer = seeded.patch(f"{DAGS}/a", json={"is_paused": "true"})

    assert answer.get_json()["is_paused"] is True
    assert seeded.get(f"{DAGS}/a").get_json() == answer.get_json()


@pytest.mark.parametrize("mask", ["", "description", "is_paused,owners", "is_paused&update_mask=x"])
def test_only_is_paused_can_be_changed(seeded: FlaskClient, mask: str) -> None:
    answer = seeded.patch(f"{DAGS}/a?update_mask={mask}", json={"is_paused": True})

    assert error_detail(answer, 400) == "Only `is_paused` field can be updated through the REST API"
    assert seeded.get(f"{DAGS}/a").get_json()["is_paused"] is False


def test_changes_of_an_unknown_dag_are_refused_before_the_mask(seeded: FlaskClient) -> None:
    patched = seeded.patch(f"{DAGS}/nope?update_mask=x", json={"is_paused": True})

    assert error_detail(patched, 404) == "Dag with id: nope was not found"
    assert error_detail(seeded.delete(f"{DAGS}/nope"), 404) == "Dag with id: nope was not found"


def test_all_dags_that_match_a_pattern_are_paused(seeded: FlaskClient) -> None:
    answer = seeded.patch(f"{DAGS}?dag_id_pattern=~&paused=false&limit=1", json={"is_paused": True})

    body = answer.get_json()
    assert [dag["dag_id"] for dag in body["dags"]] == ["a"]
    assert body["total_entries"] == 2
    assert ids(seeded, "paused=true") == ["a", "b", "c"]


def test_without_a_pattern_no_dag_is_paused(seeded: FlaskClient) -> None:
    answer = seeded.patch(f"{DAGS}?paused=false", json={"is_paused": True})

    assert answer.get_json() == {"dags": [], "total_entries": 0}
    assert ids(seeded, "paused=true") == ["b"]


def test_dag_is_deleted(seeded: FlaskClient) -> None:
    answer = seeded.delete(f"{DAGS}/b")

    assert (answer.status_code, answer.data) == (204, b"")
    assert error_detail(seeded.get(f"{DAGS}/b"), 404) == "The Dag with ID: `b` was not found"


def test_details_count_running_runs(client: FlaskClient, database_url: str) -> None:
    runs = [{"dag_id": "a", "run_id": state, "state": state} for state in ("running", "queued")]
    load(database_url, json.dumps({"dag_runs": runs}))

    assert client.get(f"{DAGS}/a/details").get_json()["active_runs_count"] == 1


def test_tasks_of_a_dag_without_a_definition_are_those_of_its_entries(client: FlaskClient) -> None:
    for task_id in ("z", "extract"):
        client.post(entries(task_id=task_id), json={"key": "k", "value": 1})

    body = client.get(f"{DAGS}/etl/tasks?order_by=-task_id").get_json()

    assert [task["task_id"] for task in body["tasks"]] == ["z", "extract"]
    assert client.get(f"{DAGS}/etl/tasks/z").get_json() == body["tasks"][0]


def test_tasks_are_sorted_by_a_field(client: FlaskClient, database_url: str) -> None:
    tasks = [
        {"task_id": "a", "execution_timeout": {"days": 1, "seconds": 0, "microseconds": 0}},
        {"task_id": "b"},
        {"task_id": "c", "execution_timeout": {"days": 0, "seconds": 9, "microseconds": 0}},
    ]
    load(database_url, json.dumps({"dags": [{"dag_id": "d", "tasks": tasks}]}))

    body = client.get(f"{DAGS}/d/tasks?order_by=execution_timeout").get_json()

    assert [task["task_id"] for task in body["tasks"]] == ["b", "c", "a"]


@pytest.mark.parametrize("name", ["nope", "", "params"])
def test_tasks_cannot_be_sorted_by_other_fields(seeded: FlaskClient, name: str) -> None:
    answer = seeded.get(f"{DAGS}/c/tasks?order_by={name}")

    assert error_detail(answer, 400) == (
        f"Ordering with '{name}' is disallowed or the attribute does not exist on the model"
    )


def test_unknown_task_is_not_found(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{DAGS}/c/tasks/nope")

    assert error_detail(answer, 404) == "Task with id nope was not found"


def test_there_are_no_import_errors(client: FlaskClient) -> None:
    answer = client.get("/api/v2/importErrors?limit=1&order_by=x")

    assert answer.get_json() == {"import_errors": [], "total_entries": 0}


def test_lists_and_patches_are_limited_to_the_dags_of_the_user(
    make_client: Callable[..., FlaskClient], database_url: str, tmp_path: Path
) -> None:
    load(database_url, json.dumps(SEED))
    user = User("ann", Role.OP, hash_password("ann"), frozenset({"a", "gone"}))
    write(tmp_path / "users.json", {"ann": user})
    client = make_client(auth="users", users_file=str(tmp_path / "users.json"))
    headers = _bearer(client, "ann")

    def ids_of(answer: Any) -> list[str]:
        return [dag["dag_id"] for dag in answer.get_json()["dags"]]

    assert ids_of(client.get(DAGS, headers=headers)) == ["a"]
    assert ids_of(client.get(f"{DAGS}?has_asset_schedule=true", headers=headers)) == []
    patched = client.patch(f"{DAGS}?dag_id_pattern=~", json={"is_paused": True}, headers=headers)
    assert ids_of(patched) == ["a"]
    assert client.get(f"{DAGS}/b", headers=headers).status_code == 403


def _bearer(client: FlaskClient, name: str) -> dict[str, str]:
    body = client.post("/auth/token", json={"username": name, "password": name}).get_json()
    return {"Authorization": f"Bearer {body['access_token']}"}
