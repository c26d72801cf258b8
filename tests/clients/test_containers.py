"""The examples of docs/containers.md, without Docker."""

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.commands import run
from tests.support.docker_daemon import docker_daemon
from tests.support.dockerfile import stages
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.readme import COMMANDS, blocks
from tests.support.readme import section as readme_section
from tests.support.v1_calls import entry

pytestmark = [pytest.mark.clients, pytest.mark.slow]

PAGE = (ROOT / "docs" / "containers.md").read_text(encoding="utf-8")
IMAGE = stages()[-1]
PORT = IMAGE.only("EXPOSE")
SEED = [
    {
        "dag_id": "etl",
        "run_id": "scheduled__2024-01-01T00:00:00+00:00",
        "task_id": "extract",
        "key": "k",
        "value": 1,
    }
]


def section(heading: str) -> str:
    return PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def document(heading: str) -> Any:
    (block,) = blocks("yaml", section(heading))
    return yaml.safe_load(block)


RUN = shlex.split(blocks("sh", section("One command"))[0].replace("\\\n", " "))
COMPOSE = document("Docker Compose")["services"]
JOB = document("GitHub Actions")["jobs"]["test"]
GITLAB = document("GitLab CI")["test"]
VARIABLES = {
    "docker run": dict(
        RUN[number + 1].split("=", 1) for number, word in enumerate(RUN) if word == "--env"
    ),
    "Compose": COMPOSE["airflow"]["environment"],
    "GitHub": JOB["services"]["airflow"]["env"],
    "GitLab": GITLAB["services"][0]["variables"],
}
SERVICE = VARIABLES["docker run"]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server with the variables of the examples."""
    with LiveServer(tmp_path_factory.mktemp("service"), workers=1, **SERVICE) as server:
        yield server


@pytest.mark.parametrize("name", VARIABLES)
def test_examples_have_the_same_variables(name: str) -> None:
    assert VARIABLES[name] == SERVICE


@pytest.mark.parametrize(
    ("heading", "schema"),
    [
        ("Docker Compose", "vendor.compose-spec"),
        ("GitHub Actions", "vendor.github-workflows"),
        ("GitLab CI", "vendor.gitlab-ci"),
    ],
)
def test_document_is_valid(heading: str, schema: str, tmp_path: Path) -> None:
    file = tmp_path / "document.yaml"
    file.write_text(blocks("yaml", section(heading))[0], encoding="utf-8")
    options = ("--data-transform", "gitlab-ci") if "gitlab" in schema else ()

    checked = run(
        str(COMMANDS / "check-jsonschema"), "--builtin-schema", schema, *options, str(file)
    )

    assert checked.returncode == 0, checked.stdout


def test_examples_use_one_image_its_port_and_its_seed_folder() -> None:
    images = set(re.findall(r"registry\.example\.com/[^\s\"]+", PAGE))

    assert len(images) == 1
    assert RUN[-1] in images
    assert f"127.0.0.1:{PORT}:{PORT}" in RUN
    assert JOB["services"]["airflow"]["ports"] == [f"{PORT}:{PORT}"]
    (mount,) = COMPOSE["airflow"]["volumes"]
    assert mount.split(":")[1:] == [IMAGE.environ["XCOM_SEED"], "ro"]
    assert f":{IMAGE.environ['XCOM_SEED']}/seed.json:ro" in RUN[RUN.index("--volume") + 1]


def test_readme_has_the_same_command() -> None:
    (block,) = blocks("sh", readme_section("### As a container, in Compose and in CI"))

    assert blocks("sh", section("One command"))[0] in block


def test_health_checks_are_that_of_the_image() -> None:
    assert COMPOSE["airflow"]["healthcheck"]["test"] == ["CMD", *IMAGE.healthcheck]
    options = shlex.split(JOB["services"]["airflow"]["options"])
    assert options[options.index("--health-cmd") + 1] == " ".join(IMAGE.healthcheck)


@pytest.mark.parametrize(
    ("command", "host"),
    [(JOB["steps"][1]["run"], "127.0.0.1"), (GITLAB["script"][0], "airflow")],
    ids=["GitHub", "GitLab"],
)
def test_step_seeds_the_server(live: LiveServer, tmp_path: Path, command: str, host: str) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "seed.json").write_text(json.dumps(SEED), encoding="utf-8")
    here = f"--connect-to {host}:{PORT}:127.0.0.1:{live.port} "
    command = command.replace("curl ", f"curl {here}")

    done = run("bash", "-c", command, cwd=tmp_path)

    assert json.loads(done.stdout or "{}").get("entries") == 1, done.stdout + done.stderr
    response = requests.get(live.url + entry("k"), auth=("ci", "any"), timeout=30)
    assert response.status_code == 200


def test_name_of_the_service_is_accepted_as_host(live: LiveServer) -> None:
    for url in (COMPOSE["tests"]["environment"]["AIRFLOW_URL"], GITLAB["variables"]["AIRFLOW_URL"]):
        headers = {"Host": url.removeprefix("http://")}
        response = requests.get(f"{live.api}/dags", auth=("ann", "x"), headers=headers, timeout=30)
        assert response.status_code == 200, url


def test_user_of_the_workflow_gets_a_token(live: LiveServer) -> None:
    environ = JOB["steps"][-1]["env"]
    credentials = {"username": environ["AIRFLOW_USER"], "password": environ["AIRFLOW_PASSWORD"]}

    response = requests.post(f"{live.url}/auth/token", json=credentials, timeout=30)

    assert response.status_code == 201


def test_testcontainers_example_passes_with_the_real_package(tmp_path: Path) -> None:
    text = section("Testcontainers for Python")
    conftest, test = blocks("python", text)
    (seed,) = blocks("json", text)
    project = tmp_path / "project"
    project.mkdir()
    (project / "conftest.py").write_text(conftest, encoding="utf-8")
    (project / "test_report.py").write_text(test, encoding="utf-8")
    (project / "seed.json").write_text(seed, encoding="utf-8")
    with docker_daemon(tmp_path) as (daemon, address):
        environ = {
            "PATH": os.defpath,
            "HOME": str(tmp_path),
            "DOCKER_HOST": address,
            "TESTCONTAINERS_CONNECTION_MODE": "docker_host",
            "TESTCONTAINERS_RYUK_DISABLED": "true",
        }
        options = ("-q", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/temporary")
        done = run(str(COMMANDS / "pytest"), *options, cwd=project, env=environ)

        assert "2 passed" in done.stdout, done.stdout + done.stderr
        assert daemon.server is None, "the container was not removed"
    definition = daemon.definition
    assert definition["Image"] in PAGE
    assert {*definition["Env"]} == {
        *(f"{name}={value}" for name, value in SERVICE.items()),
        "XCOM_AIRFLOW_VERSION=3.3.2",
    }
    assert [*definition["ExposedPorts"]] == [f"{PORT}/tcp"]
    assert definition["HostConfig"]["Binds"] == [f"{project}/seed.json:/seed/seed.json:ro"]
