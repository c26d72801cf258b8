"""Requests that are sent to an application or a server, and the verdicts on them."""

from collections.abc import Sequence
from typing import Any

from flask.testing import FlaskClient

Sent = tuple[str, dict[str, Any] | str | None] | str
"""A request such as "GET /api/v1/dags", or one with a body: an object, or a text."""

BASIC, BEARER = "Basic YW5uOmFubg==", "Bearer abc"
TASK = "dags/etl/dagRuns/r1/taskInstances/extract"
SEED = {
    "dags": [
        {"dag_id": "etl", "tags": ["sales"], "tasks": [{"task_id": "extract"}]},
        {"dag_id": "many"},
        {"dag_id": "busy"},
    ],
    "dag_runs": [
        *(
            {"dag_id": "-", "run_id": run_id}
            for run_id in ("latest", "a%2Bb", "manual__2024-01-02T00:00:00 00:00")
        ),
        {
            "dag_id": "busy",
            "run_id": "b1",
            "state": "running",
            "task_instances": [{"task_id": "extract", "state": "running"}],
        },
        {"dag_id": "etl", "run_id": "r1", "logical_date": "2024-01-01T00:00:00Z"},
        {
            "dag_id": "etl",
            "run_id": "manual__2024-01-02T00:00:00+00:00",
            "logical_date": "2024-01-02T00:00:00Z",
        },
        *({"dag_id": "many", "run_id": f"n{number}"} for number in range(120)),
    ],
    "entries": [
        {"dag_id": "etl", "run_id": "r1", "task_id": "extract", "key": key, "value": value}
        for key, value in {
            "return_value": {"rows": 5, "table": None},
            "json": [1, 2],
            "text": "(draft)",
            "long": ["x" * 5000],
            "long text": "y" * 5000,
            "written": "old",
            "a/b": 1,
            "what?": 1,
        }.items()
    ],
}


def play(client: FlaskClient, requests: Sequence[Sent], **headers: str) -> list[dict[str, Any]]:
    """Send requests with the credentials of their version; return what the journal has of them.

    Headers are sent with each request; a name has underscores, and an empty value removes one.
    """
    client.delete("/_emulator/requests")
    for sent in requests:
        send(client, sent, headers)
    found = client.get("/_emulator/requests").get_json()["requests"]
    assert len(found) == len(requests)
    return found  # type: ignore[no-any-return]


def send(client: FlaskClient, sent: Sent, headers: dict[str, str]) -> None:
    """Send one request."""
    line, body = (sent, None) if isinstance(sent, str) else sent
    method, _, url = line.partition(" ")
    scheme = {"/api/v1": BASIC, "/api/v2": BEARER}.get(url[:7], "")
    given = {"User-Agent": "tests", "Authorization": scheme} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    content = {"data": body} if isinstance(body, str) else {"json": body} if body else {}
    shown = {name: value for name, value in given.items() if value}
    target = {"REQUEST_URI": url, "RAW_URI": url}
    client.open(url, method=method, headers=shown, environ_overrides=target, **content)


def rules(request: dict[str, Any]) -> list[str]:
    """Return the ids of the rules that found something in a request."""
    return [each["rule"] for each in request["findings"]]


def rules_of(requests: list[dict[str, Any]]) -> set[str]:
    """Return the ids of the rules that found something in any request."""
    return {rule for each in requests for rule in rules(each)}
