"""Linters of OpenAPI report nothing about the served documents, and null is valid where it occurs.

The rules that are turned off are in `openapi/redocly.yaml` and `openapi/spectral.yaml`.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator

from tests.support.commands import BUILD_SECONDS, run
from tests.support.paths import ROOT

LINTERS = ROOT / ".venvs" / "linters" / "node_modules" / ".bin"
VERSIONS = ("v1", "v2", "emulator")


@pytest.fixture
def client(emulator_application: Flask) -> FlaskClient:
    return emulator_application.test_client()


def served(client: FlaskClient, version: str) -> dict[str, Any]:
    base = "/_emulator" if version == "emulator" else f"/api/{version}"
    return client.get(f"{base}/openapi.json").get_json()  # type: ignore[no-any-return]


@pytest.fixture
def documents(client: FlaskClient, tmp_path: Path) -> list[str]:
    """Return the paths of the served documents."""
    if not (LINTERS.parents[1] / "done").exists():
        pytest.skip("the linters are not installed: run `make .venvs/linters/done`")
    for version in VERSIONS:
        (tmp_path / f"{version}.json").write_text(json.dumps(served(client, version)))
    return [str(tmp_path / f"{version}.json") for version in VERSIONS]


@pytest.mark.slow
def test_redocly_reports_nothing(documents: list[str]) -> None:
    config = f"--config={ROOT / 'openapi' / 'redocly.yaml'}"
    quiet = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}
    command = [str(LINTERS / "redocly"), "lint", *documents, config, "--format=json"]

    result = run(*command, timeout=BUILD_SECONDS, env={**os.environ, **quiet})

    reports = json.loads("[" + result.stdout.replace("}{", "},{") + "]")  # one for each document
    assert [each["problems"] for each in reports] == [[]] * len(VERSIONS)
    assert result.returncode == 0


@pytest.mark.slow
def test_spectral_reports_nothing(documents: list[str]) -> None:
    config = f"--ruleset={ROOT / 'openapi' / 'spectral.yaml'}"
    command = [str(LINTERS / "spectral"), "lint", *documents, config, "--fail-severity=hint"]

    result = run(*command, timeout=BUILD_SECONDS)

    assert (result.stdout.strip(), result.returncode) == (
        "No results with a severity of 'hint' or higher found!",
        0,
    )


def test_rules_that_are_turned_off_are_documented() -> None:
    text = (ROOT / "openapi" / "README.md").read_text(encoding="utf-8")
    for linter in ("redocly", "spectral"):
        config = yaml.safe_load((ROOT / "openapi" / f"{linter}.yaml").read_text(encoding="utf-8"))
        for rule in config["rules"]:
            assert f"| {linter} | `{rule}` |" in text


@pytest.mark.parametrize("version", VERSIONS)
def test_nullable_is_always_beside_a_type(client: FlaskClient, version: str) -> None:
    def check(node: Any, path: str) -> None:
        if isinstance(node, dict):
            if node.get("nullable") is True:
                assert "type" in node, f"{path}: `nullable` has no effect without `type`"
                assert None in node.get("enum", [None]), f"{path}: the enum does not have null"
            assert "$ref" not in node or node.keys() == {"$ref"}, f"{path}: has no effect"
        if isinstance(node, (dict, list)):
            for name, each in node.items() if isinstance(node, dict) else enumerate(node):
                check(each, f"{path}/{name}")

    check(served(client, version), "#")


@pytest.mark.parametrize("value", [None, "x", 1, 1.5, True, [None], {"a": None}])
def test_null_and_other_native_values_are_valid_in_openapi(client: FlaskClient, value: Any) -> None:
    schemas = served(client, "v1")["components"]["schemas"]

    assert OAS30Validator(schemas["XComNative"]["allOf"][1]).is_valid({"value": value})


def test_missing_schedule_is_valid_in_openapi(client: FlaskClient) -> None:
    schemas = served(client, "v1")["components"]["schemas"]
    interval = schemas["ScheduleInterval"]
    names = [each["$ref"].rpartition("/")[2] for each in interval["anyOf"] if "$ref" in each]
    resolved = [schemas[name] for name in names]
    inline = [each for each in interval["anyOf"] if "$ref" not in each]

    assert OAS30Validator({"anyOf": [*resolved, *inline]}).is_valid(None)
    assert "nullable" not in interval
