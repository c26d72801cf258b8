"""Requests that select too much: long filters are a 400, and pages have a maximum."""

import json

import pytest
from flask.testing import FlaskClient
from xcom_server.storage.queries import MAX_PATTERN, MAX_PATTERN_OF_LONG_TEXT, MAX_ROWS

from tests.support.databases import load
from tests.support.documents import VERSIONS

INSTANCES = "/dags/~/dagRuns/~/taskInstances"
DETAIL = "The filters have too many alternatives, or a pattern that is too long"


@pytest.mark.parametrize("length", [MAX_PATTERN - 2, MAX_PATTERN, 300_000])
def test_pattern_that_is_too_long_is_a_400(client: FlaskClient, length: int) -> None:
    answers = [
        client.get("/api/v1/dags", query_string={"dag_id_pattern": "%" * length}),
        client.get("/api/v2/dags", query_string={"owners": "%" * length}),
    ]

    expected = 200 if length < MAX_PATTERN else 400
    assert {each.status_code for each in answers} == {expected}
    assert {each.get_json().get("detail", DETAIL) for each in answers} == {DETAIL}


@pytest.mark.parametrize(
    ("length", "status"),
    [(MAX_PATTERN_OF_LONG_TEXT - 2, 200), (MAX_PATTERN_OF_LONG_TEXT - 1, 422)],
)
def test_text_that_conf_contains_has_a_maximum(
    client: FlaskClient, length: int, status: int
) -> None:
    given = {"conf_contains": "x" * length}
    answers = [
        client.get("/api/v2/dags/~/dagRuns", query_string=given),
        client.post("/api/v2/dags/~/dagRuns/list", json=given),
    ]

    assert {each.status_code for each in answers} == {status}


def test_too_many_alternatives_of_several_patterns_are_a_400(client: FlaskClient) -> None:
    pattern = "|".join(f"x{number}" for number in range(100))
    names = ("task_display_name", "dag_id", "run_id", "pool_name", "queue_name")
    query = {f"{name}_pattern": pattern for name in names}

    answer = client.get(f"/api/v2{INSTANCES}", query_string=query)

    assert answer.status_code == 400
    assert answer.get_json() == {"detail": DETAIL}
    query.popitem()
    assert client.get(f"/api/v2{INSTANCES}", query_string=query).status_code == 200


@pytest.fixture
def full(client: FlaskClient, database_url: str) -> FlaskClient:
    """Return a client of a server with one task instance more than a page can have."""
    instances = [{"task_id": "split", "map_index": index} for index in range(MAX_ROWS + 1)]
    run = {"dag_id": "etl", "run_id": "r", "task_instances": instances}
    load(database_url, json.dumps({"dag_runs": [run]}))
    return client


def test_page_has_a_maximum_without_a_limit_too(full: FlaskClient) -> None:
    listed = full.get("/api/v1/dags/etl/dagRuns/r/taskInstances?limit=-1").get_json()
    batches = [
        full.post(f"/api/{version}{INSTANCES}/list", json={"page_limit": 10**9}).get_json()
        for version in VERSIONS
    ]

    for page in (listed, *batches):
        assert (len(page["task_instances"]), page["total_entries"]) == (MAX_ROWS, MAX_ROWS + 1)


@pytest.mark.parametrize("version", VERSIONS)
def test_clearing_too_many_task_instances_is_a_400(full: FlaskClient, version: str) -> None:
    body = {"only_failed": False, "dry_run": True}

    answer = full.post(f"/api/{version}/dags/etl/clearTaskInstances", json=body)

    assert answer.status_code == 400
    assert answer.get_json()["detail"] == (
        "The request selects 10001 task instances, more than 10000"
    )
