"""The OpenAPI documents, parsed: their operations and statuses."""

from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.paths import ROOT

VERSIONS = ["v1", "v2"]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""The loader in C takes a tenth of the time."""


def parse(text: str | bytes) -> dict[str, Any]:
    """Return a document that is written in YAML."""
    document: dict[str, Any] = yaml.load(text, _LOADER)
    return document


DOCUMENTS: dict[str, dict[str, Any]] = {
    version: parse((ROOT / "openapi" / f"{version}.yaml").read_text()) for version in VERSIONS
}

BASE = {"v1": "/api/v1", "v2": ""}
"""The prefix of a document's paths."""

METHODS = ("get", "post", "patch", "delete", "put", "head", "options")


def operations(version: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the path, the method and the object of every operation of a document."""
    for path, item in DOCUMENTS[version]["paths"].items():
        for method in (each for each in METHODS if each in item):
            yield BASE[version] + path, method, item[method]


def is_guarded(version: str, operation: dict[str, Any]) -> bool:
    """Return whether an operation requires credentials."""
    return bool(operation.get("security", DOCUMENTS[version]["security"]))
