"""Document and server agree: every operation is answered, and nothing else is."""

import pytest
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import validate

from app.api import documents, system
from app.api.paging import PageLimits
from app.api.v1.xcom import XComApi
from app.storage.engine import open_engine
from app.storage.store import XComStore
from tests.contract.document import DOCUMENT, operations

BESIDE_THE_DOCUMENT = {
    "/health", "/api/v1/openapi.json", "/api/v1/openapi.yaml", "/api/v1/ui/",
    "/api/v1/ui/<path:path>"}


def test_every_operation_has_a_handler_and_the_reverse() -> None:
    api = XComApi(XComStore(open_engine("sqlite://")), limits=PageLimits(100, 100),
                  may_deserialize=False)

    assert {operation["operationId"] for _, _, operation in operations()} == (
        api.operations().keys())


def test_an_operation_without_a_handler_stops_the_start() -> None:
    with pytest.raises(LookupError, match="no handler for the operation"):
        documents.mount(Flask("empty"), "v1", {}, validate_responses=False)


def test_an_answer_that_breaks_the_document_is_a_failure_when_answers_are_checked(
        client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system, "version", lambda: {"version": 5})

    answer = client.get("/api/v1/version")

    assert answer.status_code == 500


def test_nothing_answers_that_is_not_in_the_document(client: FlaskClient) -> None:
    documented = {"/api/v1" + path.replace("{key}", "{path:key}").replace("{", "<")
                  .replace("}", ">") for path in DOCUMENT["paths"]}
    routes = {rule.rule for rule in client.application.url_map.iter_rules()}

    assert routes == documented | BESIDE_THE_DOCUMENT


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_every_later_element_says_when_it_came() -> None:
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

    walk(DOCUMENT)
    assert marks == {"2.0.0", "2.4.0", "2.7.0", "2.10.0", "extension"}
