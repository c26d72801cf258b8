"""The client of Airflow 3 triggers a DAG, polls its run, reads an entry, and deletes the run."""

import json
from collections.abc import Callable

import pytest
from xcom_server.testing import XcomServer

from tests.support.official import OfficialClient
from tests.support.official_runs import dag, polled

pytestmark = pytest.mark.clients


@pytest.fixture
def official(new_clients: Callable[[str], OfficialClient]) -> OfficialClient:
    return new_clients("3.3.2")


@pytest.fixture
def dag_id(official: OfficialClient, guarded: XcomServer, place: dict[str, str]) -> str:
    """Return the id of a DAG with a script that only this test uses."""
    guarded.seed({"dags": [dag(place["dag_id"])]})
    return place["dag_id"]


def test_run_is_triggered_polled_read_and_deleted(official: OfficialClient, dag_id: str) -> None:
    body = {"logical_date": None, "conf": {"table": "orders"}}
    created = official.read("trigger_dag_run", dag_id=dag_id, trigger_dag_run_post_body=body)
    place = {"dag_id": dag_id, "dag_run_id": created["dag_run_id"]}

    assert created["state"] == "queued"
    assert created["triggering_user_name"] == "user"
    assert polled(lambda: official.read("get_dag_run", **place)) == [
        "queued",
        "running",
        "success",
    ]
    instances = official.read("get_task_instances", **place, state=["success"])
    assert [
        (each["task_id"], each["state"], each["try_number"]) for each in instances["task_instances"]
    ] == [("extract", "success", 1), ("load", "success", 1)]
    entry = {**place, "task_id": "extract", "xcom_key": "return_value"}
    assert official.read("get_xcom_entry", **entry)["value"] == {"rows": 5, "table": "orders"}

    assert official.read("delete_dag_run", **place) is None

    for call in (official.ask("get_dag_run", **place), official.ask("get_xcom_entry", **entry)):
        assert (call["error"]["name"], call["error"]["status"]) == ("NotFoundException", 404)


def test_repeated_run_id_raises_conflict_exception(official: OfficialClient, dag_id: str) -> None:
    body = {"logical_date": None, "dag_run_id": "the_same"}
    official.read("trigger_dag_run", dag_id=dag_id, trigger_dag_run_post_body=body)

    answer = official.ask("trigger_dag_run", dag_id=dag_id, trigger_dag_run_post_body=body)

    assert (answer["error"]["name"], answer["error"]["status"]) == ("ConflictException", 409)


def test_runs_are_listed_by_state(official: OfficialClient, dag_id: str) -> None:
    for number in range(2):
        body = {"logical_date": None, "dag_run_id": f"listed_{number}"}
        official.read("trigger_dag_run", dag_id=dag_id, trigger_dag_run_post_body=body)
    polled(lambda: official.read("get_dag_run", dag_id=dag_id, dag_run_id="listed_1"))

    page = official.read(
        "get_dag_runs", dag_id=dag_id, state=["success"], order_by=["-start_date"], limit=1
    )

    assert [run["dag_run_id"] for run in page["dag_runs"]] == ["listed_1"]


def test_dag_is_paused(official: OfficialClient, dag_id: str) -> None:
    for paused in (True, False):
        changed = official.read("patch_dag", dag_id=dag_id, dag_patch_body={"is_paused": paused})
        assert changed["is_paused"] is paused
        assert official.read("get_dag", dag_id=dag_id)["is_paused"] is paused
    listed = official.read("get_dags", dag_id_pattern=dag_id)
    assert dag_id in [each["dag_id"] for each in listed["dags"]]


def test_wait_returns_the_results(official: OfficialClient, dag_id: str) -> None:
    body = {"logical_date": None, "conf": {"table": "orders"}, "dag_run_id": "waited_for"}
    official.read("trigger_dag_run", dag_id=dag_id, trigger_dag_run_post_body=body)
    place = {"dag_id": dag_id, "dag_run_id": "waited_for"}

    answer = official.ask("wait_dag_run_until_finished", **place, interval=0.05, result=["extract"])

    assert [json.loads(line) for line in answer["result"].splitlines()] == [
        {"state": "queued"},
        {"state": "running"},
        {"state": "success", "results": {"extract": {"rows": 5, "table": "orders"}}},
    ]
