"""The calls of v1 as a careful client makes them: every name percent-encoded."""

from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

RUN = "scheduled__2024-01-01T00:00:00+00:00"
RUN_DATE = "2024-01-01T00:00:00+00:00"
MANUAL = "https://airflow.apache.org/docs/apache-airflow/2.10.5/stable-rest-api-ref.html"


def entries(dag_id: str = "etl", dag_run_id: str = RUN, task_id: str = "extract") -> str:
    """Return the path of a task's entries."""
    dag, run, task = (quote(name, safe="") for name in (dag_id, dag_run_id, task_id))
    return f"/api/v1/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries"


def entry(key: str, **names: str) -> str:
    """Return the path of one entry."""
    return f"{entries(**names)}/{quote(key, safe='')}"


def create(client: FlaskClient, key: str = "k", value: str | None = "v",
           **body: Any) -> TestResponse:
    """Create an entry of the task that `entries()` addresses."""
    return client.post(entries(), json={"key": key, "value": value, **body})


def stored(client: FlaskClient) -> dict[str, Any]:
    """Return every key that is stored, whatever its task -> its value as JSON."""
    listed = client.get(entries("~", "~", "~")).get_json()["xcom_entries"]
    return {each["key"]: client.get(entry(each["key"]), query_string={
        "map_index": each["map_index"], "stringify": "false"}).get_json().get("value")
        for each in listed}


def refused(answer: TestResponse, status: int, title: str | None = "Bad Request") -> str | None:
    """Assert that an answer is a problem document; return its detail."""
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert (answer.status_code, problem["status"], problem["title"]) == (status, status, title)
    assert problem.keys() == {"detail", "status", "title", "type"}
    return problem["detail"]  # type: ignore[no-any-return]
