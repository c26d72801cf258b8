"""The client of Airflow 2 triggers a DAG, polls its run, reads an entry, and deletes the run."""

import ast
from collections.abc import Callable, Iterator

import pytest
from xcom_server.testing import XcomServer

from tests.support.official import OfficialClient
from tests.support.official_runs import dag, polled

pytestmark = pytest.mark.clients


@pytest.fixture(scope="module")
def official(anyone: XcomServer, count_case: Callable[..., None]) -> Iterator[OfficialClient]:
    with OfficialClient("2.10.0", anyone.v1_url, count_case) as client:
        anyone.seed({"dags": [dag(client.dag_id)]})
        yield client


def test_run_is_triggered_polled_read_and_deleted(official: OfficialClient) -> None:
    dag_id = official.dag_id
    created = official.read("post_dag_run", dag_id, dag_run={"conf": {"table": "orders"}})
    run_id = created["dag_run_id"]

    assert (created["state"], created["run_type"], created["external_trigger"]) == (
        "queued",
        "manual",
        True,
    )
    assert polled(lambda: official.read("get_dag_run", dag_id, run_id)) == [
        "queued",
        "running",
        "success",
    ]
    instances = official.read("get_task_instances", dag_id, run_id)
    assert [
        (each["task_id"], each["state"], each["try_number"]) for each in instances["task_instances"]
    ] == [("extract", "success", 1), ("load", "success", 1)]
    place = (dag_id, run_id, "extract", "return_value")
    value = official.read("get_xcom_entry", *place)["value"]
    assert ast.literal_eval(value) == {"rows": 5, "table": "orders"}

    assert official.read("delete_dag_run", dag_id, run_id) is None

    for call in (
        official.ask("get_dag_run", dag_id, run_id),
        official.ask("get_xcom_entry", *place),
    ):
        assert (call["error"]["name"], call["error"]["status"]) == ("NotFoundException", 404)


def test_repeated_run_id_raises_api_exception(official: OfficialClient) -> None:
    body = {"dag_run_id": "the_same"}
    official.read("post_dag_run", official.dag_id, dag_run=body)

    error = official.ask("post_dag_run", official.dag_id, dag_run=body)["error"]

    assert (error["name"], error["status"]) == ("ApiException", 409)


def test_runs_are_listed_by_state(official: OfficialClient) -> None:
    for number in range(2):
        body = {"dag_run_id": f"listed_{number}"}
        official.read("post_dag_run", official.dag_id, dag_run=body)
    polled(lambda: official.read("get_dag_run", official.dag_id, "listed_1"))

    page = official.read(
        "get_dag_runs", official.dag_id, state=["success"], order_by="-start_date", limit=1
    )

    assert [run["dag_run_id"] for run in page["dag_runs"]] == ["listed_1"]


def test_dag_is_paused(official: OfficialClient) -> None:
    dag_id = official.dag_id

    for paused in (True, False):
        changed = official.read("patch_dag", dag_id, dag={"is_paused": paused})
        assert changed["is_paused"] is paused
        assert official.read("get_dag", dag_id)["is_paused"] is paused
    listed = official.read("get_dags", dag_id_pattern=dag_id)
    assert dag_id in [each["dag_id"] for each in listed["dags"]]
