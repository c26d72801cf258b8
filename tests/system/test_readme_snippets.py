"""The README's CI container works as shown; test_readme.py has its commands."""

from pathlib import Path

import pytest
import requests
import yaml

from tests.support.commands import run
from tests.support.dockerfile import stages
from tests.support.live_server import LiveServer
from tests.support.readme import COMMANDS, blocks, section

pytestmark = pytest.mark.slow


def test_ci_service_has_the_user_of_the_workflow(tmp_path: Path) -> None:
    text = section("### As a service container in CI")
    (workflow,) = map(yaml.safe_load, blocks("yaml", text))
    job = workflow["jobs"]["test"]
    environ = job["steps"][-1]["env"]
    service = job["services"]["airflow"]["env"]

    assert f"--env XCOM_USERS='{service['XCOM_USERS']}'" in text
    with LiveServer(tmp_path, **service) as live:
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
