"""The query parameters of all operations, from the OpenAPI documents, for the verdicts."""

import functools
from collections.abc import Mapping
from typing import Any

from xcom_server.api import openapi
from xcom_server.emulator.rules.exchange import Parameter, Parameters


@functools.cache
def query_parameters() -> Parameters:
    """Return the query parameters of each operation, which has a name such as "v1.get_dags"."""
    return {
        f"{version}.{operation['operationId']}": _of_operation(document, item, operation)
        for version in ("v1", "v2")
        for document in [openapi.read(version)[1]]
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and "operationId" in operation
    }


def _of_operation(
    document: Mapping[str, Any], item: Mapping[str, Any], operation: Mapping[str, Any]
) -> dict[str, Parameter]:
    found = [
        _resolved(document, each)
        for each in (*item.get("parameters", ()), *operation.get("parameters", ()))
    ]
    return {
        each["name"]: Parameter(
            is_list="array" in str(_resolved(document, each["schema"])),
            is_repeated=each.get("explode", True),
        )
        for each in found
        if each["in"] == "query"
    }


def _resolved(document: Mapping[str, Any], part: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference such as `#/components/parameters/PageLimit` refers to."""
    while "$ref" in part:
        part = functools.reduce(lambda at, name: at[name], part["$ref"].split("/")[1:], document)
    return part
