"""GET …/logs/{try_number}: both formats, and the tries that have a log."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.api.log_sources import NO_LOG

from tests.support.databases import load
from tests.support.v2_calls import error_detail

LOG = """\
{"level": "info", "event": "start", "timestamp": "2024-01-01T00:00:00Z"}
plain
[2024-01-01T00:00:01.5+0000] {x.py:1} INFO - parsed

{"no": "event"}
{"event": "naive", "timestamp": "2024-01-01T00:00:02"}
"""
TASKS = "/api/v2/dags/etl/dagRuns/r/taskInstances"
SEED = {
    "dag_runs": [
        {
            "dag_id": "etl",
            "run_id": "r",
            "task_instances": [
                {
                    "task_id": "a",
                    "try_number": 2,
                    "log": {"1": "old", "2": LOG},
                    "tries": [{"try_number": 1}],
                },
                {"task_id": "m", "map_index": 3, "try_number": 1, "log": "mapped"},
                {"task_id": "z", "try_number": 0, "state": None},
            ],
        }
    ]
}


@pytest.fixture
def seeded(client: FlaskClient, database_url: str) -> FlaskClient:
    load(database_url, json.dumps(SEED))
    return client


def content(client: FlaskClient, path: str) -> list[dict[str, Any]]:
    body = client.get(f"{TASKS}/{path}").get_json()
    assert body["continuation_token"] is None
    return body["content"]  # type: ignore[no-any-return]


def test_lines_are_messages_as_airflow_parses_them(seeded: FlaskClient) -> None:
    assert content(seeded, "a/logs/2") == [
        {"event": "::group::Log message source details"},
        {"event": "/opt/airflow/logs/dag_id=etl/run_id=r/task_id=a/attempt=2.log"},
        {"event": "::endgroup::"},
        {"timestamp": "2024-01-01T00:00:00Z", "event": "start", "level": "info"},
        {"timestamp": None, "event": "plain"},
        {
            "timestamp": "2024-01-01T00:00:01.500000Z",
            "event": "[2024-01-01T00:00:01.5+0000] {x.py:1} INFO - parsed",
        },
        {"timestamp": "2024-01-01T00:00:01.500000Z", "event": '{"no": "event"}'},
        {"timestamp": "2024-01-01T00:00:02Z", "event": "naive"},
    ]


def test_ndjson_has_one_message_a_line(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{TASKS}/a/logs/1", headers={"Accept": "application/x-ndjson"})

    lines = answer.text.splitlines()
    assert answer.content_type == "application/x-ndjson"
    assert lines[-1] == '{"timestamp":null,"event":"old"}'
    assert all(json.loads(line)["timestamp"] is None for line in lines)
    token = answer.headers["Airflow-Continuation-Token"]
    assert content(seeded, f"a/logs/1?token={token}")[-1]["event"] == "old"


@pytest.mark.parametrize(
    ("accept", "status"), [("text/plain", 406), ("", 406), ("application/json", 200), ("*/*", 200)]
)
def test_other_formats_are_refused(seeded: FlaskClient, accept: str, status: int) -> None:
    answer = seeded.get(f"{TASKS}/a/logs/1", headers={"Accept": accept})

    assert answer.status_code == status
    if status == 406:
        expected = "Only application/json or application/x-ndjson is supported"
        assert error_detail(answer, 406) == expected


def test_the_log_of_a_mapped_task_needs_its_index(seeded: FlaskClient) -> None:
    assert error_detail(seeded.get(f"{TASKS}/m/logs/1"), 404) == "TaskInstance not found"
    assert (
        "/task_id=m/map_index=3/attempt=1.log"
        in content(seeded, "m/logs/1?map_index=3")[1]["event"]
    )


def test_a_try_without_a_log_says_that_nothing_ran(seeded: FlaskClient) -> None:
    assert content(seeded, "z/logs/0") == [{"event": NO_LOG}]


@pytest.mark.parametrize("path", ["a/logs/3", "a/logs/0", "nope/logs/1"])
def test_other_tries_are_not_found(seeded: FlaskClient, path: str) -> None:
    assert error_detail(seeded.get(f"{TASKS}/{path}"), 404) == "TaskInstance not found"


def test_tokens_of_others_are_refused(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{TASKS}/a/logs/1?token=x")

    expected = "Bad Signature. Please use only the tokens provided by the API."
    assert error_detail(answer, 400) == expected
