"""The document as tests read it: operations and the statuses they may answer."""

from collections.abc import Iterator
from typing import Any

import yaml

from tests.conftest import ROOT

DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "openapi" / "v1.yaml").read_text())

METHODS = {"get", "post", "patch", "delete", "put", "head", "options"}


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield the path, the method and the object of every operation."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS & item.keys():
            yield path, method, item[method]
