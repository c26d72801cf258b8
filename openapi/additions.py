"""Remove the elements that were added to an OpenAPI document after its seed.

Each of these elements has the key `x-added-in`: the Airflow release that added it, or `extension`.
The result is written to standard output as YAML.

    python openapi/additions.py openapi/v1.yaml > v1-filtered.yaml
"""

import sys
from typing import Any

import yaml

MARK = "x-added-in"


def without_additions(document: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of an OpenAPI document without the elements that have `x-added-in`.

    References to removed elements, security requirements of removed schemes and paths without
    operations are removed too.
    """
    filtered: dict[str, Any] = _pruned(document, document)
    known = filtered.get("components", {}).get("securitySchemes", {}).keys()
    for holder in [filtered, *_operations(filtered)]:
        if "security" in holder:
            holder["security"] = [need for need in holder["security"] if need.keys() <= known]
    filtered["paths"] = {
        path: item
        for path, item in filtered["paths"].items()
        if _operations({"paths": {path: item}})
    }
    return filtered


def _pruned(node: Any, document: dict[str, Any]) -> Any:
    if isinstance(node, dict):
        return {k: _pruned(v, document) for k, v in node.items() if not _is_added(v, document)}
    if isinstance(node, list):
        return [_pruned(item, document) for item in node if not _is_added(item, document)]
    return node


def _is_added(node: Any, document: dict[str, Any]) -> bool:
    if not isinstance(node, dict):
        return False
    return MARK in node or ("$ref" in node and _is_added(_target(node["$ref"], document), document))


def _target(reference: str, document: dict[str, Any]) -> Any:
    node: Any = document
    for name in reference.removeprefix("#/").split("/"):
        node = node[name.replace("~1", "/").replace("~0", "~")]
    return node


def _operations(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        part
        for item in document["paths"].values()
        for part in item.values()
        if isinstance(part, dict) and "responses" in part
    ]


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as source:
        yaml.safe_dump(without_additions(yaml.safe_load(source)), sys.stdout, sort_keys=False)
