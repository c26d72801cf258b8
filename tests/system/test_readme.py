"""Every command and snippet of the README is run and prints what the README shows."""

import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
from xcom_server.settings import Settings

from tests.support.commands import run
from tests.support.databases import drop_tables, emptied
from tests.support.documents import DOCUMENTS
from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.readme import (
    ENVIRON,
    README,
    Quickstart,
    blocks,
    outputs,
    run_quickstart,
    run_snippet,
    section,
    steps,
)
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quickstart]:
    with run_quickstart(tmp_path_factory.mktemp("quickstart")) as started:
        yield started


@pytest.fixture
def server(quickstart: Quickstart) -> LiveServer:
    return quickstart.server


def test_quickstart_prints_the_output_shown(quickstart: Quickstart) -> None:
    expected = [output for _, output in steps("## Quickstart")]

    assert len(expected) == 14
    assert quickstart.outputs == expected


def test_server_has_the_limits_that_the_readme_lists(server: LiveServer) -> None:
    """Section "What it emulates and what it does not"."""
    entries = f"{server.url}/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
    headers = {"Origin": "http://other.example"}

    for path in ("/api/v1/health", "/api/v2/monitor/health"):
        health = requests.get(server.url + path, timeout=30).json()
        assert health["scheduler"]["status"] == "healthy"
    response = requests.get(entries, auth=("any", "any"), headers=headers, timeout=30)
    assert response.status_code == 200
    assert not any(name.lower().startswith("access-control") for name in response.headers)


ABSENT = {
    "variables": "variables",
    "pools": "pools",
    "connections": "connections",
    "users": "users",
    "roles": "roles",
    "datasets": "datasets",
    "assets": "assets",
    "backfills": "backfills",
    "DAG versions": "dags/etl/dagVersions",
    "DAG sources": "dagSources/x",
    "event logs": "eventLogs",
    "providers": "providers",
    "plugins": "plugins",
    "config": "config",
}
"""Resources of Airflow -> their paths in v1 or v2."""


def test_other_resources_are_a_404(server: LiveServer) -> None:
    (row,) = re.findall(r"^\* \*\*Other resources are a 404\*\*: ([^.]*)\.", README, re.MULTILINE)
    paths = [f"/api/{version}/{path}" for version in ("v1", "v2") for path in ABSENT.values()]

    assert sorted(re.split(", | and ", " ".join(row.split()))) == sorted(ABSENT)
    assert {path: status(server.url + path) for path in paths} == dict.fromkeys(paths, 404)


def test_paths_of_the_readme_exist(server: LiveServer) -> None:
    table = section("## Operations").split("| path | what it is |")[1]
    paths = re.findall(r"`(/[\w/.]+)`", table)

    assert len(paths) == 12
    assert {path: status(server.url + path) for path in paths} == dict.fromkeys(paths, 200)


def test_operations_of_the_readme_are_those_of_the_document() -> None:
    rows = re.findall(r"^\| `([A-Z]+)( …/\{key\})?` \| `(\w+)` \|", README, re.MULTILINE)
    paths = DOCUMENTS["v1"]["paths"]
    entries = next(path for path in paths if path.endswith("/xcomEntries"))
    entry = next(path for path in paths if path.endswith("/xcomEntries/{key}"))

    assert len(rows) == 5
    for method, of_entry, operation_id in rows:
        path = entry if of_entry else entries
        assert paths[path][method.lower()]["operationId"] == operation_id


def test_table_of_resources_has_the_methods_of_the_documents() -> None:
    rows = re.findall(r"^\| `(/[^`]+)` \| (`[A-Z]+`.*) \|$", section("## Operations"), re.MULTILINE)

    assert len(rows) == 16
    for path, cell in rows:
        both, _, only_in_v2 = (re.findall(r"`([A-Z]+)`", part) for part in cell.partition("in v2"))
        assert _methods("v1", path) == {*both}, path
        assert _methods("v2", path) == {*both, *only_in_v2}, path


def _methods(version: str, path: str) -> set[str]:
    """Return the methods of a path in a document, where `~` can be written as a parameter."""
    prefix = "/api/v2" if version == "v2" else ""
    parameters = path.replace("~", "{dag_id}", 1).replace("~", "{dag_run_id}")
    items = [DOCUMENTS[version]["paths"].get(prefix + each, {}) for each in (path, parameters)]
    return {method.upper() for item in items for method in item} & {
        *("GET", "POST", "PATCH", "DELETE")
    }


def test_settings_of_the_readme_have_their_defaults() -> None:
    rows = re.findall(r"^\| `XCOM_(\w+)` \| `([^`]*)` \|", section("## Settings"), re.MULTILINE)
    defaults = vars(Settings())

    assert len(rows) == 7
    for name, default in rows:
        assert str(defaults[name.lower()]) in (default, default.capitalize())


def test_requests_snippet_prints_the_output_shown_again_after_the_delete(
    server: LiveServer, tmp_path: Path
) -> None:
    variables = [command for command, _ in steps("## Quickstart") if re.match(r"V\d=", command)]
    ((delete, deleted),) = steps("### With requests")

    for _ in range(2):
        printed, shown = run_snippet("With requests", Path(sys.executable), server, tmp_path)
        assert printed == shown
        assert outputs([*variables, delete], tmp_path, server.url)[-1] == deleted == "204\n"


def test_users_section_prints_the_output_shown(tmp_path: Path) -> None:
    export_path, add, *requests_ = steps("## Users")

    assert outputs([export_path[0], add[0]], tmp_path) == ["", add[1]]
    with LiveServer(
        tmp_path, XCOM_AUTH="users", XCOM_USERS_FILE=str(tmp_path / "xcom-users.json")
    ) as live:
        printed = outputs([command for command, _ in requests_], tmp_path, live.url)
    assert printed == [output for _, output in requests_]
    assert [output for output in printed if output] == ["401\n", "200\n", "200\n"]


def test_seeding_section_prints_the_output_shown(tmp_path: Path) -> None:
    (seed,) = blocks("json", section("## Seeding"))
    (tmp_path / "seed.json").write_text(seed, encoding="utf-8")
    commands = [command for command, _ in steps("## Seeding")]

    assert outputs(commands, tmp_path) == [output for _, output in steps("## Seeding")]
    assert outputs(["xcom-server seed entries.json dag_runs.json"], tmp_path) == [
        "Seeded 1 entry and 1 DAG run.\n"
    ]
    assert outputs(["xcom-server seed everything.json"], tmp_path) == [
        "Seeded 1 DAG, 1 entry and 1 DAG run.\n"
    ]


def test_server_can_have_a_base_path(tmp_path: Path) -> None:
    (command,) = re.findall(r"`(XCOM_BASE_PATH=.*? serve)`", README)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environ = {**ENVIRON, "XCOM_BIND": address, "XCOM_DRAIN_SECONDS": "0"}
    with subprocess.Popen(
        ["bash", "-c", f"exec env {command}"], cwd=tmp_path, env=environ
    ) as server:
        try:
            until(lambda: status(f"http://{address}/airflow/ready") == 200, 60)
            for path in ("/api/v1/health", "/api/v2/version", "/auth/token"):
                assert status(f"http://{address}/airflow{path}") in (200, 201)
            assert status(f"http://{address}/live") == 200
            assert status(f"http://{address}/api/v1/health") == 404
        finally:
            server.terminate()
    assert server.returncode == 0


def test_deployment_commands_serve_users_from_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """The first two commands are left out: tests/system/test_image.py installs the same."""
    (block,) = blocks("console", section("## Deployment"))
    *_, settings, start = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
    drop_tables(postgres_url)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    settings = re.sub(r"postgresql\S+", f"'{postgres_url}'", settings)
    start = start.replace("0.0.0.0:8080", address).replace(
        "&& xcom-server serve", "&& exec xcom-server serve"
    )
    with subprocess.Popen(
        ["bash", "-c", f"{settings}\n{start}"], stdin=subprocess.PIPE, cwd=tmp_path, env=ENVIRON
    ) as server:
        assert server.stdin is not None
        server.stdin.write(b"correct horse\n")
        server.stdin.close()
        try:
            until(lambda: status(f"http://{address}/ready") == 200, 60)
            entries = f"http://{address}/api/v1/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
            assert status(entries) == 401
            assert status(entries, "ann", "correct horse") == 200
        finally:
            server.terminate()
            assert server.wait(60) == 0
    emptied(postgres_url)


def test_make_help_lists_the_targets_of_the_readme() -> None:
    listed = run("make", "--no-print-directory", "help", cwd=ROOT).stdout

    targets = set(re.findall(r"`make ([\w-]+)`", section("## Development"))) - {"help"}
    assert targets >= {"test", "check"}
    for target in sorted({*targets, "serve"}):
        assert f"make {target} " in listed
