"""The operations of the server that faults can match."""

from collections.abc import Iterator
from typing import Any

from flask import current_app, request

from xcom_server.api import openapi
from xcom_server.emulator.faults import Operation

_EXTENSION = "emulator_operations"  # the name in the application
_NEVER = ("live", "ready", "metrics")  # operations that never have faults

Document = dict[str, Any]


def current() -> Operation:
    """Return the operation of the current request, one without a name for an unknown path."""
    return _operations().get(request.endpoint or "", Operation(""))


def known() -> list[Operation]:
    """Return the operations of the application that faults can match."""
    return [*_operations().values()]


def _operations() -> dict[str, Operation]:
    """Return the operations by endpoint, which do not change after the start."""
    found: dict[str, Operation] | None = current_app.extensions.get(_EXTENSION)
    if found is None:
        found = current_app.extensions[_EXTENSION] = _read()
    return found


def _read() -> dict[str, Operation]:
    documented = {
        f"{name}.{operation['operationId']}": (operation, openapi.read(name)[1])
        for name in ("v1", "v2")
        for operation in _documented(openapi.read(name)[1])
    }
    methods: dict[str, set[str]] = {}
    for rule in current_app.url_map.iter_rules():
        methods.setdefault(rule.endpoint, set()).update(rule.methods or ())
    return {
        name: Operation(
            name,
            frozenset(allowed),
            is_list=name in documented and _is_list(*documented[name]),
            has_login=name in documented and documented[name][0].get("security") != [],
        )
        for name, allowed in methods.items()
        if not name.startswith("emulator") and name not in _NEVER
    }


def _documented(document: Document) -> Iterator[dict[str, Any]]:
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "operationId" in operation:
                yield operation


def _is_list(operation: dict[str, Any], document: Document) -> bool:
    content = operation["responses"].get("200", {}).get("content", {})
    return _has_total(content.get("application/json", {}).get("schema", {}), document)


def _has_total(schema: dict[str, Any], document: Document) -> bool:
    """Return whether a schema has `total_entries`."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _has_total(document["components"]["schemas"][name], document)
    return "total_entries" in schema.get("properties", {}) or any(
        _has_total(each, document) for each in schema.get("allOf", ())
    )
