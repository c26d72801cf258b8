"""Logs in v1: the texts of seed files, as text or in JSON."""

import ast

import pytest
from flask.testing import FlaskClient

from tests.support.task_instance_seed import load
from tests.support.v1_calls import error_detail, instances

ONE = instances(dag_run_id="one")
FILE = "/opt/airflow/logs/dag_id=etl/run_id=one/task_id=extract/attempt={}.log"
HEAD = (
    " INFO - ::group::Log message source details\n*** Found local files:\n***   * {}\n"
    " INFO - ::endgroup::\n"
)
FIRST, SECOND = (HEAD.format(FILE.format(number)) for number in (1, 2))
MISSING = "Nothing was executed, and the seed file and the script have no log of this try."


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with the logs of two tries."""
    return load(client)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("extract/logs/2", f"worker-2\n{SECOND}läuft\nfertig\n"),
        ("extract/logs/1?full_content=true", f"worker-2\n{FIRST}failed\n"),
        ("extract/logs/3", f"worker-2\n{MISSING}\n"),
        ("extract/logs/0", "default_host\nError fetching the logs. Try number 0 is invalid.\n"),
        ("load/logs/1", f"\n{MISSING}\n"),
        ("mapped/logs/1?map_index=1", f"\n{MISSING}\n"),
    ],
)
@pytest.mark.parametrize("accept", ["text/plain", "*/*", "text/*", "text/plain;q=0.9,text/html"])
def test_log_is_text(seeded: FlaskClient, path: str, expected: str, accept: str) -> None:
    answer = seeded.get(f"{ONE}/{path}", headers={"Accept": accept})

    assert (answer.content_type, answer.text) == ("text/plain", expected)


@pytest.mark.parametrize("accept", ["application/json", "text/html", None])
def test_log_is_json_by_default(seeded: FlaskClient, accept: str | None) -> None:
    headers = {} if accept is None else {"Accept": accept}

    answer = seeded.get(f"{ONE}/extract/logs/2", headers=headers)

    body = answer.get_json()
    assert answer.content_type == "application/json"
    assert body.keys() == {"content", "continuation_token"}
    assert ast.literal_eval(body["content"]) == [("worker-2", f"{SECOND}läuft\nfertig")]


def test_continuation_token_is_accepted(seeded: FlaskClient) -> None:
    body = seeded.get(f"{ONE}/extract/logs/2").get_json()

    answer = seeded.get(f"{ONE}/extract/logs/2?token={body['continuation_token']}")

    assert answer.get_json() == body


def test_other_token_is_refused_first(seeded: FlaskClient) -> None:
    title = "Bad Signature. Please use only the tokens provided by the API."

    assert error_detail(seeded.get(f"{ONE}/nope/logs/1?token=x"), 400, title) is None


@pytest.mark.parametrize(
    "path", ["nope/logs/1", "mapped/logs/1", "extract/logs/1?map_index=0", "~/logs/1"]
)
def test_log_of_an_unknown_task_instance_is_a_404(seeded: FlaskClient, path: str) -> None:
    assert error_detail(seeded.get(f"{ONE}/{path}"), 404, "TaskInstance not found") is None
