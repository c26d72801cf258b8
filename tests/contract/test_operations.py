"""Documents and server agree: every operation has a handler, and no other route exists."""

import re
from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate
from werkzeug.routing import PathConverter
from xcom_server.api import authorization, openapi
from xcom_server.api.v1 import api as v1
from xcom_server.api.v2 import api as v2
from xcom_server.settings import Settings
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql.store import SqlXComStore

from tests.support.documents import DOCUMENTS, VERSIONS, operations

STORE = SqlXComStore(open_backend("sqlite://"))
ACCESS = authorization.OpenAccess(Settings())
APIS = {
    "v1": v1.api_version(STORE, Settings(), ACCESS),
    "v2": v2.api_version(STORE, Settings(), ACCESS),
}

UNDOCUMENTED = {
    "/health",
    "/live",
    "/ready",
    "/version",
    "/metrics",
    "/openapi.json",
    "/auth/token",
    "/auth/token/cli",
    *(
        f"/api/{version}/{place}"
        for version in VERSIONS
        for place in ("openapi.json", "openapi.yaml", "ui", "ui/", "ui/<path:path>")
    ),
}


@pytest.mark.parametrize("version", VERSIONS)
def test_operations_and_handlers_match(version: str) -> None:
    documented = {operation["operationId"] for _, _, operation in operations(version)}

    assert documented == APIS[version].handlers.keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_description_has_no_line_that_markdown_shows_as_a_list(version: str) -> None:
    text = DOCUMENTS[version]["info"]["description"]

    assert re.findall(r"^\s*(?:\d+[.)]|[-+*#]) .*", text, re.MULTILINE) == []


@pytest.mark.parametrize("version", VERSIONS)
def test_description_states_what_the_server_does_not_do(version: str) -> None:
    text = " ".join(DOCUMENTS[version]["info"]["description"].split())

    assert "does not schedule or execute anything" in text
    assert "no variables, pools, connections" in text


@pytest.mark.parametrize("version", VERSIONS)
def test_bodies_have_valid_examples_because_swagger_ui_makes_random_ones(version: str) -> None:
    for path, _, operation in operations(version):
        body = operation.get("requestBody")
        if body is None or (version == "v2" and "xcomEntries" in path):  # the seed has none
            continue
        content = body["content"]["application/json"]
        components = {"components": DOCUMENTS[version]["components"]}
        OAS30Validator({"allOf": [content["schema"]], **components}).validate(content["example"])


def test_operation_without_a_handler_fails_at_start() -> None:
    empty = replace(APIS["v1"], handlers={})

    with pytest.raises(LookupError, match="no handler for the operation"):
        openapi.mount(Flask("empty"), empty, validate_responses=False)


def test_response_that_violates_the_document_is_a_500(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(v1, "AIRFLOW_VERSION", 5)

    answer = client.get("/api/v1/version")

    assert answer.status_code == 500


def test_every_route_is_documented_or_listed(client: FlaskClient) -> None:
    documented = {
        re.sub(
            r"{(map_index|task_try_number)}",
            r"{int:\1}" if version == "v1" else r"{\1}",
            re.sub(r"{((?:xcom_)?key)}", r"{key:\1}", path),
        ).translate({123: "<", 125: ">"})
        for version in VERSIONS
        for path, _, _ in operations(version)
    }
    routes = {rule.rule for rule in client.application.url_map.iter_rules()}

    assert routes == documented | UNDOCUMENTED


def test_flasks_path_converter_is_not_replaced(client: FlaskClient) -> None:
    assert client.application.url_map.converters["path"] is PathConverter


@pytest.mark.parametrize("version", VERSIONS)
def test_document_is_valid_openapi(version: str) -> None:
    validate(DOCUMENTS[version])


@pytest.mark.parametrize(
    ("version", "releases"),
    [
        (
            "v1",
            {f"2.{minor}.0" for minor in (0, 1, 2, 3, 4, 5, 6, 7, 9, 10)} | {"2.1.1", "extension"},
        ),
        ("v2", {"3.1.0", "3.1.8", "3.2.0", "3.2.2", "3.3.1", "extension", "resources"}),
    ],
)
def test_later_additions_are_marked_with_their_release(version: str, releases: set[str]) -> None:
    marks = set()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "x-added-in" in node:
                marks.add(node["x-added-in"])
            for each in node.values():
                walk(each)
        elif isinstance(node, list):
            for each in node:
                walk(each)

    walk(DOCUMENTS[version])
    assert marks == releases
