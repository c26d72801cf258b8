"""The examples of docs/clients.md print what the page shows."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.commands import run
from tests.support.databases import load
from tests.support.environments import client_python, needs
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.readme import ENVIRON

pytestmark = pytest.mark.clients

PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
EXAMPLES = {
    section.partition("\n")[0]: re.findall(r"^```(\w+)\n(.*?)^```", section, re.DOTALL | re.M)
    for section in PAGE.split("\n## ")[1:]
}
ENTRIES = "dags/etl/dagRuns/manual_1/taskInstances/extract/xcomEntries"
CREDENTIALS = ("bob", "secret")
TSC = ROOT / ".venvs" / "typescript" / "node_modules" / ".bin" / "tsc"


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server with the user that the page adds."""
    folder = tmp_path_factory.mktemp("examples")
    (command, shown), *_ = re.findall(r"^\$ (.* user add .*)\n(.*\n)", PAGE, re.MULTILINE)
    assert run("bash", "-c", command, cwd=folder, env=ENVIRON).stdout == shown
    users_file = str(folder / "xcom-users.json")
    with LiveServer(folder, XCOM_AUTH="users", XCOM_USERS_FILE=users_file) as server:
        yield server


@pytest.fixture
def run_example(live: LiveServer, tmp_path: Path) -> Iterator["Example"]:
    """Yield a function that runs an example.

    All examples use one server, in the order of the page, and each one deletes its entry.
    """
    yield Example(live, tmp_path)
    listed = requests.get(f"{live.api}/{ENTRIES}", auth=CREDENTIALS)
    assert listed.json()["total_entries"] == 0


class Example:
    """Runs the blocks of a section, and returns their output and the output that it shows."""

    def __init__(self, server: LiveServer, folder: Path) -> None:
        self._server = server
        self._folder = folder

    def __call__(self, section: str, *commands: list[str]) -> tuple[str, str]:
        (shown,) = (text for kind, text in EXAMPLES[section] if kind == "text")
        for number, code in enumerate(code for kind, code in EXAMPLES[section] if kind != "text"):
            code = code.replace("http://127.0.0.1:8080", self._server.url)
            (self._folder / f"example{number}").write_text(code, encoding="utf-8")
        output = ""
        for command in commands:
            done = run(*command, cwd=self._folder)
            assert done.returncode == 0, done.stdout + done.stderr
            output += done.stdout
        return output, shown


def test_curl(run_example: Example) -> None:
    output, shown = run_example("curl", ["bash", "-eu", "example0"])

    assert output == shown


def test_official_client_of_airflow_2(run_example: Example) -> None:
    output, shown = run_example(
        "Python: the client of Airflow 2",
        ["bash", "-eu", "example0"],
        [client_python("2.10.0"), "example1"],
        ["bash", "-eu", "example2"],
    )

    assert output == shown


def test_official_client_of_airflow_3(run_example: Example) -> None:
    output, shown = run_example(
        "Python: the client of Airflow 3", [client_python("3.3.2"), "example0"]
    )

    assert output == shown


@pytest.mark.parametrize("library", ["requests", "httpx"])
def test_python_library(run_example: Example, library: str) -> None:
    output, shown = run_example(f"Python: {library}", [sys.executable, "example0"])

    assert output == shown


def test_typescript(run_example: Example) -> None:
    node = needs("node")
    if not TSC.exists():
        pytest.skip("the TypeScript compiler is not installed: run `make .venvs/typescript/done`")
    output, shown = run_example(
        "TypeScript",
        ["cp", "example0", "example.ts"],
        [str(TSC), "--strict", "--target", "es2022", "--lib", "es2022,dom", "example.ts"],
        [node, "example.js"],
    )

    assert output == shown


def test_go(run_example: Example) -> None:
    output, shown = run_example(
        "Go",
        ["cp", "example0", "example.go"],
        [needs("go"), "run", "example.go"],
    )

    assert output == shown


def test_common_mistakes_have_the_documented_effect(live: LiveServer) -> None:
    basic = CREDENTIALS
    v1, v2 = f"{live.api}/{ENTRIES}", f"{live.url}/api/v2/{ENTRIES}"
    login = {"username": "bob", "password": "secret"}
    token = requests.post(f"{live.url}/auth/token", json=login).json()["access_token"]
    bearer = {"Authorization": f"Bearer {token}"}
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    assert requests.get(v2, auth=basic).status_code == 401
    assert requests.get(v1, headers=bearer).status_code == 401
    assert requests.get(v1, auth=basic, params={"token": "x"}).status_code == 400
    assert requests.get(v2, headers=bearer, params={"token": "x"}).status_code == 200
    assert requests.post(v1, "{}", auth=basic, headers=form).status_code == 415
    assert requests.post(v2, "{}", headers=bearer | form).status_code == 422
    for wildcard in ("-", "*"):
        any_dag = v1.replace("dags/etl", f"dags/{wildcard}")
        assert requests.get(any_dag, auth=basic).json()["total_entries"] == 0
        any_dag = v2.replace("dags/etl", f"dags/{wildcard}")
        assert requests.get(any_dag, headers=bearer).json()["total_entries"] == 0
    assert requests.get(f"{v1}/", auth=basic).status_code == 404
    health = requests.get(f"{live.url}/health").json()
    assert health["scheduler"]["status"] == "healthy"


MAPPED = {
    "dag_id": "mapped",
    "tasks": [{"task_id": "t", "mapped": 1}],
    "script": {"tasks": {"t": {"entries": {"return_value": 1}}}},
}


def test_common_mistakes_with_runs_have_the_documented_effect(server: LiveServer) -> None:
    load(server.database_url, json.dumps({"dags": [MAPPED]}))
    dag = f"{server.url}/api/v2/dags/mapped"
    runs, key = f"{dag}/dagRuns", "taskInstances/t/xcomEntries/return_value"
    body = {"dag_run_id": "r", "logical_date": None}

    def polled() -> list[str]:
        return [requests.get(f"{runs}/r").json()["state"] for _ in range(3)]

    assert requests.post(runs, json={}).status_code == 422
    assert requests.post(runs, json=body | {"execution_date": None}).status_code == 422
    requests.patch(dag, json={"is_paused": True})
    requests.post(runs, json=body)
    assert polled() == ["queued"] * 3
    requests.patch(dag, json={"is_paused": False})
    for _ in range(3):
        tasks = requests.get(f"{runs}/r/taskInstances").json()["task_instances"]
        assert [task["state"] for task in tasks] == [None]
        assert requests.get(f"{runs}/r/{key}", params={"map_index": 0}).status_code == 404
    assert polled() == ["queued", "running", "success"]
    assert requests.get(f"{runs}/r/{key}", params={"map_index": 0}).json()["value"] == 1
    assert requests.get(f"{runs}/r/{key}").status_code == 404
    assert requests.post(f"{runs}/r/clear", json={}).status_code == 200
    assert requests.post(f"{server.api}/dags/mapped/dagRuns/r/clear", json={}).status_code == 200
    assert polled() == ["success"] * 3


def test_common_mistakes_in_lists_of_runs_have_the_documented_effect(server: LiveServer) -> None:
    v1, v2 = f"{server.api}/dags", f"{server.url}/api/v2/dags"

    for wildcard in ("-", "*"):
        assert requests.get(f"{v1}/{wildcard}/dagRuns").json()["total_entries"] == 0
        assert requests.get(f"{v2}/{wildcard}/dagRuns").status_code == 404
        assert requests.get(f"{v2}/{wildcard}/dagRuns/r/taskInstances").status_code == 404
    assert requests.get(f"{v1}/~/dagRuns", params={"state": "done"}).json()["dag_runs"] == []
    assert requests.get(f"{v2}/~/dagRuns", params={"state": "done"}).status_code == 422


def test_without_users_any_credentials_are_accepted(server: LiveServer) -> None:
    bearer = {"Authorization": "Bearer x"}

    assert requests.get(f"{server.api}/{ENTRIES}", headers=bearer).status_code == 200
    assert requests.get(f"{server.url}/api/v2/{ENTRIES}", auth=("x", "y")).status_code == 200
