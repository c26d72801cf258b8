"""Every command and snippet of the README is run and prints what the README shows."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import requests
import yaml

from tests.support.commands import run
from tests.support.databases import drop_tables, emptied
from tests.support.dockerfile import stages
from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.waiting import until

README = (ROOT / "README.md").read_text(encoding="utf-8")
URL = "http://127.0.0.1:8080"
COMMANDS = Path(sys.executable).parent
ENVIRON = {**os.environ, "PATH": f"{COMMANDS}:{os.environ['PATH']}"}
PYTHONS = {
    "With requests": Path(sys.executable),
    "Client 3, for `/api/v2`": ROOT / ".venvs/client-3.3.2/bin/python",
    "Client 2, for `/api/v1`": ROOT / ".venvs/client-2.10.0/bin/python",
}
"""The words before a snippet -> the Python that has what it imports."""


def section(heading: str) -> str:
    """Return the text below a heading, up to the next heading of its level or a higher one."""
    level, _, _ = heading.partition(" ")
    text = README.split(f"\n{heading}\n", 1)[1]
    return re.split(rf"\n#{{1,{len(level)}}} ", text, maxsplit=1)[0]


def blocks(language: str, text: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def steps(heading: str) -> list[tuple[str, str]]:
    """Return the commands of a section that do not start a server, each with its output."""
    found = [
        step
        for block in blocks("console", section(heading))
        for step in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    ]
    return [(command, output) for command, output in found if not command.endswith("serve")]


def outputs(commands: list[str], folder: Path, url: str = URL) -> list[str]:
    """Run commands in one shell and return what each printed."""
    script = "".join(f"{command}\nprintf '\\0'\n" for command in commands)
    done = run("bash", "-c", script.replace(URL, url), cwd=folder, env=ENVIRON)
    return done.stdout.split("\0")[:-1]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server to which the quickstart has been applied: see `server.outputs`."""
    folder = tmp_path_factory.mktemp("quickstart")
    with LiveServer(folder) as live:
        shown = outputs([command for command, _ in steps("## Quickstart")], folder, live.url)
        (folder / "shown").write_text("\0".join(shown))
        yield live


def test_quickstart_prints_the_output_shown(server: LiveServer) -> None:
    expected = [output for _, output in steps("## Quickstart")]

    assert len(expected) == 8
    assert (server.folder / "shown").read_text().split("\0") == expected


def test_server_has_the_limits_that_the_readme_lists(server: LiveServer) -> None:
    """Section "What it emulates and what it does not"."""
    entries = f"{server.url}/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
    headers = {"Origin": "http://other.example"}

    assert requests.get(f"{server.url}/api/v2/dags/etl/dagRuns", timeout=30).status_code == 404
    for path in ("/api/v1/health", "/api/v2/monitor/health"):
        health = requests.get(server.url + path, timeout=30).json()
        assert health["scheduler"]["status"] == "unhealthy"
    response = requests.get(entries, auth=("any", "any"), headers=headers, timeout=30)
    assert response.status_code == 200
    assert not any(name.lower().startswith("access-control") for name in response.headers)


@pytest.mark.parametrize("words", PYTHONS)
def test_python_snippet_prints_the_output_shown(
    server: LiveServer, words: str, tmp_path: Path
) -> None:
    snippet = blocks("python", README.split(words, 1)[1])[0]
    script = tmp_path / "snippet.py"
    script.write_text(snippet.replace(URL, server.url), encoding="utf-8")

    done = run(str(PYTHONS[words]), str(script))

    assert done.stderr == ""
    assert done.stdout.splitlines() == re.findall(r"^print\(.*\)  # (.*)$", snippet, re.MULTILINE)


def test_pytest_fixture_starts_a_server(tmp_path: Path) -> None:
    fixture, test = blocks("python", section("### As a pytest fixture"))
    (tmp_path / "conftest.py").write_text(fixture, encoding="utf-8")
    (tmp_path / "test_report.py").write_text(test, encoding="utf-8")

    options = ("-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/temporary")
    done = run(str(COMMANDS / "pytest"), *options, cwd=tmp_path, env=ENVIRON)

    assert "1 passed" in done.stdout, done.stdout
    assert done.returncode == 0


def test_ci_image_adds_the_user_of_the_workflow(tmp_path: Path) -> None:
    text = section("### As a service container in CI")
    (dockerfile,) = blocks("dockerfile", text)
    (workflow,) = map(yaml.safe_load, blocks("yaml", text))
    base, command = re.findall(r"^(?:FROM|RUN) (.*)$", dockerfile, re.MULTILINE)
    environ = workflow["jobs"]["test"]["steps"][-1]["env"]

    done = run("sh", "-c", command, cwd=tmp_path, env=ENVIRON)

    assert done.stdout == "Added ci, op.\n"
    assert f"docker build --tag {base} ." in text
    with LiveServer(
        tmp_path, XCOM_AUTH="users", XCOM_USERS_FILE=str(tmp_path / "xcom-users.json")
    ) as live:
        credentials = {
            "username": environ["AIRFLOW_USER"],
            "password": environ["AIRFLOW_PASSWORD"],
        }
        assert requests.post(f"{live.url}/auth/token", json=credentials).status_code == 201


def test_ci_workflow_is_valid_and_uses_the_port_of_the_image(tmp_path: Path) -> None:
    text = section("### As a service container in CI")
    (block,) = blocks("yaml", text)
    file = tmp_path / "tests.yaml"
    file.write_text(block, encoding="utf-8")

    checked = run(
        str(COMMANDS / "check-jsonschema"),
        "--builtin-schema",
        "vendor.github-workflows",
        str(file),
    )

    assert checked.returncode == 0, checked.stdout
    job = yaml.safe_load(block)["jobs"]["test"]
    service = job["services"]["airflow"]
    port = stages()[-1].only("EXPOSE")
    assert service["ports"] == [f"{port}:{port}"]
    assert job["steps"][-1]["env"]["AIRFLOW_URL"] == f"http://127.0.0.1:{port}"
    assert f"docker push {service['image']}\n" in text
    assert f"--tag {service['image']} " in text


def test_users_section_prints_the_output_shown(tmp_path: Path) -> None:
    (added, shown), *requests_ = steps("## Users")

    assert outputs([added], tmp_path) == [shown]
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


def test_server_can_have_a_base_path(tmp_path: Path) -> None:
    (command,) = re.findall(r"`(SCRIPT_NAME=.*? serve)`", README)
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
            assert status(f"http://{address}/live") == 500
        finally:
            server.terminate()
    assert server.returncode == 0


def test_deployment_commands_serve_users_from_postgresql(tmp_path: Path, postgres_url: str) -> None:
    """The first command is left out: tests/system/test_image.py runs the same with pip."""
    (block,) = blocks("console", section("## Deployment"))
    _, settings, start = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
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

    targets = set(re.findall(r"`make (\w+)`", section("## Development"))) - {"help"}
    assert targets >= {"test", "check"}
    for target in sorted({*targets, "serve"}):
        assert f"make {target}" in listed
