"""Reading and deleting task instances: lists, one, mapped ones and tries."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write

from tests.support.databases import load
from tests.support.v2_calls import error_detail

DAY1, DAY2 = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
RUN = "/api/v2/dags/etl/dagRuns/r/taskInstances"
ALL = "/api/v2/dags/~/dagRuns/~/taskInstances"
INSTANCES: list[dict[str, Any]] = [
    {
        "task_id": "a",
        "state": "failed",
        "try_number": 2,
        "start_date": DAY1,
        "end_date": "2024-01-01T00:00:07Z",
        "tries": [{"try_number": 1, "state": "failed", "start_date": DAY2, "hostname": "old"}],
        "rendered_fields": {"sql": "select"},
    },
    {"task_id": "b", "state": None, "try_number": 0, "pool": "small", "executor": "Local"},
    {"task_id": "m", "map_index": 1, "task_display_name": "Zoo", "operator": "BashOperator"},
    {"task_id": "m", "map_index": 0, "operator": "PythonOperator", "queue": "heavy"},
    {"task_id": "w", "state": "up_for_retry", "start_date": DAY1},
]
TASKS = [{"task_id": each} for each in "abw"]
SEED = {
    "dags": [
        {
            "dag_id": "etl",
            "tasks": [*TASKS, {"task_id": "m", "mapped": 2}, {"task_id": "n", "is_mapped": True}],
        }
    ],
    "dag_runs": [
        {"dag_id": "etl", "run_id": "r", "logical_date": DAY1, "task_instances": INSTANCES},
        {
            "dag_id": "other",
            "run_id": "r",
            "logical_date": DAY2,
            "task_instances": [{"task_id": "o"}],
        },
    ],
}


@pytest.fixture
def seeded(client: FlaskClient, database_url: str) -> FlaskClient:
    load(database_url, json.dumps(SEED))
    return client


def names(body: dict[str, Any]) -> list[str]:
    """Return the tasks of a body, with the map indexes of those that have one."""
    return [
        each["task_id"] + ("" if each["map_index"] < 0 else str(each["map_index"]))
        for each in body["task_instances"]
    ]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "a b w m0 m1"),
        ("order_by=-id", "w m0 m1 b a"),
        ("state=none", "b"),
        ("state=no_status&state=failed", "a b"),
        ("task_id=m", "m0 m1"),
        ("task_id=~", ""),
        ("map_index=1&map_index=-1&pool=small", "b"),
        ("map_index=99999999999", ""),
        ("pool_name_pattern=SMA", "b"),
        ("queue=heavy&queue=none", "m0"),
        ("executor=Local", "b"),
        ("operator=BashOperator", "m1"),
        ("operator_name_pattern=python", "m0"),
        ("task_display_name_pattern=zoo|a", "a m1"),
        ("try_number=2&try_number=0", "a b"),
        ("version_number=1&state=failed", "a"),
        ("version_number=2", ""),
        ("task_group_id=g", ""),
        ("dag_id_pattern=other", ""),
        ("run_id_prefix_pattern=r&state=failed", "a"),
        ("duration_gte=7&duration_lt=7.5", "a"),
        ("start_date_gte=2024-01-01T00:00:01Z", "b"),
        ("end_date_lte=2024-01-01T00:00:07Z&end_date_gt=2024-01-01T00:00:00Z", "a"),
        ("logical_date_gt=2024-01-01T00:00:00Z", ""),
        ("rendered_map_index_pattern=1", "m1"),
    ],
)
def test_lists_are_filtered_and_ordered(seeded: FlaskClient, query: str, expected: str) -> None:
    body = seeded.get(f"{RUN}?{query}").get_json()

    assert names(body) == expected.split()
    assert body["total_entries"] == len(body["task_instances"])


def test_a_wildcard_lists_all_dags_and_runs(seeded: FlaskClient) -> None:
    assert names(seeded.get(f"{ALL}?order_by=-logical_date&limit=1").get_json()) == ["o"]
    assert seeded.get(f"{ALL}?limit=0").get_json()["total_entries"] == 6
    etl = seeded.get("/api/v2/dags/etl/dagRuns/~/taskInstances").get_json()
    assert etl["total_entries"] == 5


@pytest.mark.parametrize(
    ("dag_id", "run_id", "status", "detail"),
    [
        ("~", "r", 400, "dag_id is required when dag_run_id is specified"),
        ("nope", "r", 404, "DagRun with dag_id: `nope` and run_id: `r` was not found"),
        ("etl", "nope", 404, "DagRun with dag_id: `etl` and run_id: `nope` was not found"),
        ("nope", "~", 404, "The Dag with ID: `nope` was not found"),
    ],
)
def test_a_list_in_an_unknown_run_is_refused_before_the_order(
    seeded: FlaskClient, dag_id: str, run_id: str, status: int, detail: str
) -> None:
    path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances?order_by=task_id"

    assert error_detail(seeded.get(path), status) == detail


def test_cursors_lead_through_all_pages(seeded: FlaskClient) -> None:
    cursor: str | None = ""
    found = []
    while cursor is not None:
        body = seeded.get(RUN, query_string={"limit": 2, "cursor": cursor}).get_json()
        found += names(body)
        cursor = body["next_cursor"]

    assert found == ["a", "b", "w", "m0", "m1"]
    assert body["total_entries_limit"] == 50_000


def test_batch_list_selects_by_a_body(seeded: FlaskClient) -> None:
    def listed(**body: Any) -> list[str]:
        return names(seeded.post(f"{ALL}/list", json=body).get_json())

    assert listed(dag_ids=["etl"], state=[None, "failed"]) == ["a", "b"]
    assert listed(dag_run_ids=["r"], task_ids=["m"], order_by="map_index") == ["m0", "m1"]
    assert listed(dag_ids=[], page_limit=1, page_offset=5) == ["o"]
    assert listed(start_date_gte="2024-01-01T00:00:01Z", dag_ids=["etl"]) == []
    refused = seeded.post(f"{ALL}/list", json={"order_by": "try_number"})
    assert error_detail(refused, 400).startswith("Ordering with 'try_number'")


def test_one_task_instance_has_all_fields(seeded: FlaskClient) -> None:
    body = seeded.get(f"{RUN}/a").get_json()

    assert body == seeded.get(RUN).get_json()["task_instances"][0]
    assert body["rendered_fields"] == {"sql": "select"}
    assert (body["duration"], body["logical_date"]) == (7.0, DAY1)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        ("m", "Task instance is mapped, add the map_index value to the URL"),
        (
            "nope",
            "The Task Instance with dag_id: `etl`, run_id: `r` and task_id: `nope` was not found",
        ),
        (
            "~",
            "The Task Instance with dag_id: `etl`, run_id: `r` and task_id: `~` was not found",
        ),
        (
            "m/2",
            "The Mapped Task Instance with dag_id: `etl`, run_id: `r`, task_id: `m`,"
            " and map_index: `2` was not found",
        ),
        (
            "m/tries",
            "The Task Instance with dag_id: `etl`, run_id: `r`, task_id: `m`"
            " and map_index: `-1` was not found",
        ),
        (
            "a/tries/3",
            "The Task Instance with dag_id: `etl`, run_id: `r`, task_id: `a`, try_number: `3`"
            " and map_index: `-1` was not found",
        ),
        (
            "w/tries",
            "The Task Instance with dag_id: `etl`, run_id: `r`, task_id: `w`"
            " and map_index: `-1` was not found",
        ),
        ("a/listMapped", "Task id a is not mapped"),
        ("nope/listMapped", "Task id nope not found"),
    ],
)
def test_missing_task_instances_are_named(seeded: FlaskClient, path: str, detail: str) -> None:
    assert error_detail(seeded.get(f"{RUN}/{path}"), 404) == detail


def test_mapped_task_instances_are_listed_by_index(seeded: FlaskClient) -> None:
    assert seeded.get(f"{RUN}/m/1").get_json()["task_display_name"] == "Zoo"
    assert names(seeded.get(f"{RUN}/m/listMapped").get_json()) == ["m0", "m1"]
    assert names(seeded.get(f"{RUN}/m/listMapped?map_index=1").get_json()) == ["m1"]
    assert names(seeded.get(f"{RUN}/n/listMapped").get_json()) == []


def test_a_wildcard_matches_no_mapped_task(seeded: FlaskClient) -> None:
    answer = seeded.get("/api/v2/dags/~/dagRuns/~/taskInstances/m/listMapped")

    assert error_detail(answer, 404) == "The Dag with ID: `~` was not found"


def test_tries_are_listed_oldest_first(seeded: FlaskClient) -> None:
    body = seeded.get(f"{RUN}/a/tries").get_json()

    old, new = body["task_instances"]
    assert body["total_entries"] == 2
    assert (old["try_number"], old["start_date"], old["hostname"]) == (1, DAY2, "old")
    assert (new["try_number"], new["start_date"], new["hostname"]) == (2, DAY1, "")
    assert "note" not in new
    assert seeded.get(f"{RUN}/a/tries/1").get_json() == old
    assert seeded.get(f"{RUN}/a/tries/2?map_index=-1").get_json() == new
    assert seeded.get(f"{RUN}/m/1/tries/1").get_json()["map_index"] == 1


def test_a_task_instance_is_deleted(seeded: FlaskClient) -> None:
    answer = seeded.delete(f"{RUN}/m?map_index=1")

    assert (answer.status_code, answer.get_json()) == (200, None)
    assert names(seeded.get(f"{RUN}/m/listMapped").get_json()) == ["m0"]
    assert error_detail(seeded.delete(f"{RUN}/m"), 404) == (
        "The Task Instance with dag_id: `etl`, run_id: `r`, task_id: `m`"
        " and map_index: `-1` was not found"
    )


def test_lists_are_limited_to_the_dags_of_the_user(
    make_client: Callable[..., FlaskClient], database_url: str, tmp_path: Path
) -> None:
    load(database_url, json.dumps(SEED))
    user = User("ann", Role.VIEWER, hash_password("ann"), frozenset({"other"}))
    write(tmp_path / "users.json", {"ann": user})
    client = make_client(auth="users", users_file=str(tmp_path / "users.json"))
    body = client.post("/auth/token", json={"username": "ann", "password": "ann"}).get_json()
    headers = {"Authorization": f"Bearer {body['access_token']}"}

    for answer in (
        client.get(ALL, headers=headers),
        client.post(f"{ALL}/list", json={"dag_ids": ["etl", "other"]}, headers=headers),
    ):
        assert names(answer.get_json()) == ["o"]
        assert answer.get_json()["total_entries"] == 1
    assert client.get(RUN, headers=headers).status_code == 403
