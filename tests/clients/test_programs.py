"""Whole programs, as people write them, run unchanged against the server.

They request the operations that `docs/clients.md` lists for each.
"""

import re
import sys
from pathlib import Path

import pytest
from xcom_server.testing import XcomServer

from tests.support.commands import run
from tests.support.environments import client_python, needs
from tests.support.paths import ROOT

pytestmark = [
    pytest.mark.clients,
    pytest.mark.slow,
    pytest.mark.xcom(users="user:user:user", seed="programs/seed.json"),
]

FOLDER = Path(__file__).with_name("programs")
PAGE = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
TABLE = {
    name: (style, set(re.findall("`([A-Z]+ .+?)`", cell)))
    for name, style, cell in re.findall(
        r"^\| `(\w+\.\w+)` \| (.+?) \| (.+) \|$", PAGE, re.MULTILINE
    )
}
"""Programs -> their style and their operations on the page."""

_PYTHON = ("conforms", "v1-value-is-python")
_DELETED = ("refused", "not-found")
VERDICTS = {
    "requests_v1.py": {_PYTHON},
    "official_client_v1.py": {_PYTHON, _DELETED},
    "official_client_v2.py": {_DELETED},
    "detect_version.py": {_PYTHON},
    "sensor_backend.py": {_PYTHON, ("refused", "repeated-run-id")},
}
"""Programs -> what the emulator's journal reports about them."""

PLACEHOLDERS = {"xcomEntries": "key", "logs": "try"}


@pytest.fixture
def output(xcom: XcomServer) -> "Program":
    return Program(xcom)


def operation(method: str, path: str) -> str:
    """Return the name that the page gives to the operation of a request."""
    *above, last = path.strip("/").split("/")[2:] or [path]
    if above[:1] != ["dags"] and last != "dags":
        return f"{method} {path}"
    if len(above) % 2:
        return f"{method} {above[-1]}/{{{PLACEHOLDERS.get(above[-1], 'id')}}}"
    return f"{method} {f'{above[-2]}/{{id}}/' * (last in ('wait', 'listMapped'))}{last}"


class Program:
    """Runs a program and returns the lines that it prints."""

    def __init__(self, server: XcomServer) -> None:
        self._server = server
        self._environ = {
            "AIRFLOW_URL": server.url,
            "AIRFLOW_USER": "user",
            "AIRFLOW_PASSWORD": "user",
            "POLL_SECONDS": "0.05",
        }

    def __call__(self, interpreter: str, name: str, **environ: str) -> list[str]:
        done = run(interpreter, str(FOLDER / name), env=self._environ | environ)
        assert done.returncode == 0, done.stdout + done.stderr
        style, listed = TABLE[name]
        found, expected = self._findings(), VERDICTS.get(name, set())
        if "v1 or v2" in style:
            assert found <= expected
            assert self._requested() <= listed
        else:
            assert found == expected
            assert self._requested() == listed
        return done.stdout.splitlines()

    def _findings(self) -> set[tuple[str, str]]:
        """Return the verdicts on the requests of the program that are not `conforms` only."""
        found = {
            (request.verdict.value, rule)
            for request in self._server.requests
            for rule in [finding.rule for finding in request.findings] or [""]
        }
        return found - {("conforms", "")}

    def _requested(self) -> set[str]:
        """Return the operations that the program has requested."""
        return {operation(request.method, request.path) for request in self._server.requests}


def test_requests_with_basic_credentials(output: Program) -> None:
    assert output(sys.executable, "requests_v1.py") == [
        "state: success",
        "tasks: extract, load",
        "5 rows of orders",
    ]


def test_requests_with_a_token(output: Program) -> None:
    assert output(sys.executable, "requests_v2.py") == [
        "success {'table': 'customers'}",
        "{'rows': 5, 'table': 'customers'}",
    ]


def test_httpx_with_three_runs_at_once(output: Program) -> None:
    assert output(sys.executable, "httpx_async_v2.py") == [
        str({"run": "success", "task": "success", "tries": 1, "value": {"rows": 5, "table": table}})
        for table in ("orders", "customers", "prices")
    ]


def test_official_client_of_airflow_2(output: Program) -> None:
    assert output(client_python("2.10.0"), "official_client_v1.py") == [
        "run success",
        "task extract success",
        "task load success",
        "rows 5",
        "deleted 404",
    ]


def test_official_client_of_airflow_3(output: Program) -> None:
    assert output(client_python("3.3.2"), "official_client_v2.py") == [
        "run success user",
        "task extract success",
        "task load success",
        "rows 5",
        "deleted 404",
    ]


def test_fetch_in_node(output: Program) -> None:
    assert output(needs("node"), "fetch_v2.mjs") == [
        "success from Node.js",
        "extract=success load=success",
        '{"rows":5,"table":"orders"}',
    ]


def test_wait_with_results(output: Program) -> None:
    assert output(sys.executable, "wait_v2.py") == [
        "queued",
        "running",
        "success",
        "rows: 5",
        "load: 5 rows are loaded",
    ]


@pytest.mark.parametrize(
    ("environ", "version"),
    [({}, "3.3.2"), ({"AIRFLOW_API_VERSION": "v1"}, "2.10.5")],
    ids=["detected", "v1"],
)
def test_detection_of_the_version(output: Program, environ: dict[str, str], version: str) -> None:
    assert output(sys.executable, "detect_version.py", **environ) == [
        f"Airflow {version}",
        "run: success",
        "extract: success",
        "rows: 5",
    ]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_wait_for_a_healthy_scheduler(output: Program, version: str) -> None:
    printed = output(sys.executable, "wait_for_scheduler.py", AIRFLOW_API_VERSION=version)

    assert printed[:4] == ["scheduler healthy", "paused False", "run failed", "failed upload"]
    assert "OSError: disk full" in "\n".join(printed[4:])


def test_back_end_with_mapped_results(output: Program) -> None:
    assert output(sys.executable, "sensor_backend.py") == [
        "job-1 started",
        "job-2 started",
        "job-1 is there already",
        "job-1 success",
        "job-2 success",
        "finished: job-2 job-1",
        "0 {'part': 'a', 'score': 0.5}",
        "1 {'part': 'b', 'score': 0.25}",
        "2 {'part': 'c', 'score': 1.0}",
        "left: 0",
    ]


def test_page_lists_every_program() -> None:
    assert sorted(TABLE) == sorted(
        each.name for each in FOLDER.iterdir() if each.suffix in (".py", ".mjs")
    )
    assert len(TABLE) >= 10
