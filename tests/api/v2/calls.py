"""The calls of v2 as a careful client makes them: every name percent-encoded."""

from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

RUN = "scheduled__2024-01-01T00:00:00+00:00"
RUN_DATE = "2024-01-01T00:00:00Z"


def entries(dag_id: str = "etl", dag_run_id: str = RUN, task_id: str = "extract") -> str:
    """Return the path of a task's entries."""
    dag, run, task = (quote(name, safe="") for name in (dag_id, dag_run_id, task_id))
    return f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries"


def entry(key: str, **names: str) -> str:
    """Return the path of one entry."""
    return f"{entries(**names)}/{quote(key, safe='')}"


def create(client: FlaskClient, key: str = "k", value: Any = "v", **body: Any) -> TestResponse:
    """Create an entry of the task that `entries()` addresses."""
    return client.post(entries(), json={"key": key, "value": value, **body})


def stored(client: FlaskClient) -> dict[str, Any]:
    """Return every key that is stored, whatever its task -> its value."""
    listed = client.get(entries("~", "~", "~")).get_json()["xcom_entries"]
    return {each["key"]: client.get(
        entry(each["key"], dag_id=each["dag_id"], dag_run_id=each["run_id"],
              task_id=each["task_id"]),
        query_string={"map_index": each["map_index"]}).get_json()["value"] for each in listed}


def refused(answer: TestResponse, status: int) -> Any:
    """Assert that an answer is a refusal in v2's shape; return its detail."""
    assert answer.content_type == "application/json"
    assert answer.status_code == status
    body = answer.get_json()
    assert body.keys() == {"detail"}
    return body["detail"]
