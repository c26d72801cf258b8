"""Requests to v2 and assertions about its responses."""

from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.calls import Calls

RUN_DATE = "2024-01-01T00:00:00Z"


_calls = Calls("v2")
entries, entry, create = _calls.entries, _calls.entry, _calls.create


def runs(dag_id: str = "etl") -> str:
    """Return the path of the runs of a DAG."""
    return f"/api/v2/dags/{quote(dag_id, safe='')}/dagRuns"


def run(run_id: str, dag_id: str = "etl") -> str:
    """Return the path of one run."""
    return f"{runs(dag_id)}/{quote(run_id, safe='')}"


def stored_values(client: FlaskClient) -> dict[str, Any]:
    """Return all stored keys, of any task -> their values."""
    listed = client.get(entries("~", "~", "~")).get_json()["xcom_entries"]
    return {
        each["key"]: client.get(
            entry(
                each["key"],
                dag_id=each["dag_id"],
                dag_run_id=each["run_id"],
                task_id=each["task_id"],
            ),
            query_string={"map_index": each["map_index"]},
        ).get_json()["value"]
        for each in listed
    }


def error_detail(answer: TestResponse, status: int) -> Any:
    """Assert that a response has v2's error format; return its detail."""
    assert answer.content_type == "application/json"
    assert answer.status_code == status
    body = answer.get_json()
    assert body.keys() == {"detail"}
    return body["detail"]


def assert_refused(answer: TestResponse, status: int) -> None:
    """Assert that a response is an error of this status."""
    error_detail(answer, status)
