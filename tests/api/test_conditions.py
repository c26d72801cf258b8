"""The number of values in a filter is limited in both versions, because databases limit it."""

from typing import Any

import pytest
from flask.testing import FlaskClient

RUNS, INSTANCES = "/dags/~/dagRuns", "/dags/~/dagRuns/~/taskInstances"
TOO_MANY = [str(number) for number in range(1001)]
V2_FILTERS = (("/dags", "tags"), ("/dags", "owners"), (INSTANCES, "pool"))


@pytest.fixture
def etl(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with the DAG `etl`."""
    client.post("/api/v2/dags/etl/dagRuns", json={"logical_date": None})
    return client


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{RUNS}/list", {"dag_ids": TOO_MANY}),
        (f"{INSTANCES}/list", {"task_ids": TOO_MANY}),
        ("/dags/etl/clearTaskInstances", {"task_ids": TOO_MANY}),
    ],
)
def test_a_body_with_too_many_values_is_rejected(
    etl: FlaskClient, version: str, path: str, body: dict[str, Any]
) -> None:
    (field,) = body
    answer = etl.post(f"/api/{version}{path}", json=body)
    assert answer.status_code == 400
    assert answer.get_json()["detail"] in (
        f"{field} has more than 1000 values",
        f"{field.removesuffix('s')} has more than 1000 values",
    )
    assert etl.post(f"/api/{version}{path}", json={field: TOO_MANY[1:]}).status_code == 200


@pytest.mark.parametrize(("path", "name"), V2_FILTERS)
def test_a_query_with_too_many_values_is_rejected(
    client: FlaskClient, path: str, name: str
) -> None:
    answer = client.get(f"/api/v2{path}", query_string={name: TOO_MANY})
    assert answer.status_code == 400
    most = 1000 if name == "pool" else 100
    assert answer.get_json() == {"detail": f"{name} has more than {most} values"}
    assert client.get(f"/api/v2{path}", query_string={name: TOO_MANY[:most]}).status_code == 200


def test_v1_rejects_too_many_tags(client: FlaskClient) -> None:
    answer = client.get("/api/v1/dags", query_string={"tags": ",".join(TOO_MANY[:101])})
    assert answer.status_code == 400
    assert answer.get_json()["detail"] == "tags has more than 100 values"


def test_map_indexes_of_too_many_tasks_are_rejected(etl: FlaskClient) -> None:
    url = "/api/v2/dags/etl/clearTaskInstances"
    answer = etl.post(url, json={"task_ids": [[each, 0] for each in TOO_MANY[:101]]})
    assert answer.status_code == 400
    assert answer.get_json() == {"detail": "task_ids has more than 100 values"}
    same_task = [["t", index] for index in range(1000)]
    assert etl.post(url, json={"task_ids": same_task}).status_code == 200


def test_a_dag_named_like_a_null_state_is_found(client: FlaskClient) -> None:
    client.post("/api/v2/dags/none/dagRuns", json={"logical_date": None})
    answer = client.post(f"/api/v2{RUNS}/list", json={"dag_ids": ["none"]})
    assert answer.get_json()["total_entries"] == 1
