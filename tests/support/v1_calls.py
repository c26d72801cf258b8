"""Requests to v1 and assertions about its responses."""

from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.calls import Calls

RUN_DATE = "2024-01-01T00:00:00+00:00"
MANUAL = "https://airflow.apache.org/docs/apache-airflow/2.10.5/stable-rest-api-ref.html"


_calls = Calls("v1")
entries, entry, create = _calls.entries, _calls.entry, _calls.create
runs, run, dag, instances = _calls.runs, _calls.run, _calls.dag, _calls.instances


def stored_values(client: FlaskClient) -> dict[str, Any]:
    """Return all stored keys, of any task -> their values as JSON."""
    listed = client.get(entries("~", "~", "~")).get_json()["xcom_entries"]
    return {
        each["key"]: client.get(
            entry(each["key"]), query_string={"map_index": each["map_index"], "stringify": "false"}
        )
        .get_json()
        .get("value")
        for each in listed
    }


def error_detail(
    answer: TestResponse, status: int, title: str | None = "Bad Request"
) -> str | None:
    """Assert that a response is a problem document; return its detail."""
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json()
    assert (answer.status_code, problem["status"], problem["title"]) == (status, status, title)
    assert problem.keys() == {"detail", "status", "title", "type"}
    return problem["detail"]  # type: ignore[no-any-return]


def assert_refused(answer: TestResponse, status: int, title: str | None = "Bad Request") -> None:
    """Assert that a response is an error of this status."""
    error_detail(answer, status, title)
