"""What the adapter relies on in Connexion; a failure names what changed and where to look.

It names modules of Connexion, and classes of connexion_adapter.py, specification.py and
response_validation.py.
"""

import inspect
from collections.abc import Callable
from copy import deepcopy
from types import SimpleNamespace
from typing import Any

import pytest
from connexion import spec
from connexion.apis import abstract
from connexion.apis.flask_api import FlaskApi
from connexion.decorators import response, validation
from connexion.exceptions import InvalidSpecification, NonConformingResponseBody
from flask import Flask, Response
from flask.testing import FlaskClient
from xcom_server.api import openapi
from xcom_server.api.connexion_adapter import (
    BodyCheck,
    ParameterCheck,
    SpecApi,
    SpecRequest,
    body_errors,
)
from xcom_server.api.response_validation import ResponseValidator
from xcom_server.api.specification import Specification

from tests.support.documents import DOCUMENTS, VERSIONS

ITEM = {"type": "object", "properties": {"size": {"type": "integer"}}}
DOCUMENT: dict[str, Any] = {
    "openapi": "3.0.3",
    "info": {"title": "t", "version": "1"},
    "security": [{"Basic": []}],
    "paths": {
        "/items/{numbers}/{key}": {
            "parameters": [{"$ref": "#/components/parameters/Numbers"}],
            "post": {
                "operationId": "create_item",
                "parameters": [
                    {"name": "key", "in": "path", "required": True, "schema": {"type": "string"}}
                ],
                "requestBody": {
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Item"}}
                    }
                },
                "responses": {
                    "200": {
                        "description": "it",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/Item"}}
                        },
                    }
                },
            },
        }
    },
    "components": {
        "parameters": {
            "Numbers": {
                "name": "numbers",
                "in": "path",
                "required": True,
                "schema": {"type": "array", "items": {"type": "integer"}},
            }
        },
        "schemas": {"Item": ITEM},
        "securitySchemes": {"Basic": {"type": "http", "scheme": "basic"}},
    },
}
HANDLED = Response("the handler's")


class Recorder:
    """Checks and a handler that record what Connexion passes to them, in `steps` and `seen`."""

    def __init__(self) -> None:
        self.steps: list[str] = []
        self.seen: dict[str, Any] = {}
        recorder = self

        class Parameters(ParameterCheck):
            def check(self, request: SpecRequest) -> None:
                recorder.steps.append("parameters")
                recorder.seen |= {"parameters": self.parameters, "request": request}
                request.context |= {"numbers": "from the check", "not_an_argument": 1}

        class Body(BodyCheck):
            def check(self, request: SpecRequest) -> None:
                recorder.steps.append("body")
                recorder.seen |= {"body": self.schema, "body request": request}

        class Responses(ResponseValidator):
            def check(self, response: Response) -> None:
                recorder.steps.append("response")
                recorder.seen |= {
                    "response": response,
                    "schema": self.operation.response_schema("200", "application/json"),
                }

        self.checks = {"parameter": Parameters, "body": Body, "response": Responses}

    def create_item(self, numbers: str, key: str = "default", body: Any = None) -> Response:
        """Return HANDLED."""
        self.steps.append("handler")
        self.seen["arguments"] = (numbers, key, body)
        return HANDLED


def mounted(document: dict[str, Any], recorder: Recorder) -> FlaskClient:
    app = Flask("small")
    SpecApi(
        Specification(document, any_text=False),
        "",
        {"create_item": recorder.create_item},
        recorder.checks,
        validate_responses=True,
    ).register(app, "small")
    return app.test_client()


@pytest.fixture
def recorder() -> Recorder:
    """Return the recorder after one request."""
    recorder = Recorder()
    answer = mounted(DOCUMENT, recorder).post("/items/1,2/k", json={"key": "k"})
    assert answer.status_code == 200, (
        "Connexion rejects a request that only this server's checks should judge: look"
        f" at operations/abstract.py (function) and at SpecApi. Response: {answer.text}"
    )
    return recorder


def test_checks_run_in_the_order_that_v2_relies_on(recorder: Recorder) -> None:
    assert recorder.steps == ["body", "parameters", "handler", "response"], (
        "Connexion runs the checks in another order, so errors of a body may get lost in v2: look"
        " at operations/abstract.py (function, __validation_decorators)."
    )


def test_checks_share_one_request(recorder: Recorder) -> None:
    assert recorder.seen["request"] is recorder.seen["body request"], (
        "Connexion makes a request for each check, so errors of a body get lost in v2: look at"
        " decorators/decorator.py (RequestResponseDecorator)."
    )
    assert isinstance(recorder.seen["request"], SpecRequest), (
        "Connexion no longer calls get_request of the API: look at decorators/decorator.py."
    )


def test_check_gets_path_parameters_as_strings(recorder: Recorder) -> None:
    assert recorder.seen["request"].path_params == {"numbers": "1,2", "key": "k"}, (
        "Connexion converts or parses path parameters before the parameter check: look at"
        " apis/flask_utils.py (flaskify_path) and at _NoURIParser."
    )


def test_check_gets_resolved_parameters(recorder: Recorder) -> None:
    assert {each["name"]: each["schema"]["type"] for each in recorder.seen["parameters"]} == {
        "numbers": "array",
        "key": "string",
    }, (
        "Connexion gives a parameter check other parameters than the operation's and its path's,"
        " or unresolved ones: look at operations/openapi.py (parameters)."
    )


def test_check_gets_resolved_body_and_response_schemas(recorder: Recorder) -> None:
    for place in ("body", "schema"):
        assert recorder.seen[place]["properties"] == ITEM["properties"], (
            f"Connexion gives another {place} than the document's, or an unresolved one: look at"
            " operations/openapi.py (body_schema, response_schema)."
        )


def test_handler_gets_arguments_from_the_request_context(recorder: Recorder) -> None:
    assert recorder.seen["arguments"] == ("from the check", "default", None), (
        "Connexion gives a handler arguments of its own, or not the request's context: look at"
        " decorators/parameter.py (parameter_to_arg) and at _HandlerResolver."
    )


def test_response_is_passed_on_unchanged(recorder: Recorder) -> None:
    assert recorder.seen["response"] is HANDLED, (
        "Connexion rebuilds a handler's response before the response check: look at"
        " decorators/response.py and at SpecApi.get_response."
    )


def test_operation_without_a_handler_fails_at_start() -> None:
    with pytest.raises(LookupError) as error:
        SpecApi(
            Specification(DOCUMENT, any_text=False),
            "",
            {},
            Recorder().checks,
            validate_responses=True,
        )

    assert "no handler for the operation create_item" in str(error.value), (
        "Connexion hides that a handler is missing: look at resolver.py (Resolver.resolve) and at"
        " _HandlerResolver."
    )


def test_document_is_not_modified() -> None:
    document = deepcopy(DOCUMENT)

    mounted(document, Recorder())

    assert document == DOCUMENT, (
        "Connexion changes the document that it is given, which is served too: copy it in"
        " SpecApi, and look at spec.py (Specification.__init__)."
    )


@pytest.mark.parametrize("version", VERSIONS)
def test_specification_is_shared_by_applications(
    version: str, make_client: Callable[..., FlaskClient]
) -> None:
    make_client()
    shared = openapi.specification(version, version == "v2")
    before, uses = deepcopy(shared["paths"]), openapi.specification.cache_info().hits

    make_client(validate_responses=False)

    assert shared["paths"] == before, (
        "Connexion changes a document that other applications use: look at operations/openapi.py"
        " (__init__) and at Specification.copy."
    )
    assert openapi.specification.cache_info().hits > uses, "Each application resolves a document."


def test_responses_leave_a_shared_specification_unchanged(
    make_client: Callable[..., FlaskClient],
) -> None:
    paths = openapi.specification("emulator", True)["paths"]
    before, uses = deepcopy(paths), openapi.specification.cache_info().hits

    client = make_client(emulator=True)
    for path in ("clock", "faults", "requests", "snapshots"):
        assert client.get(f"/_emulator/{path}").status_code == 200

    assert paths == before, (
        "Connexion changes the schema of a response that other applications use: look at"
        " operations/openapi.py (with_definitions) and at Specification.copy."
    )
    assert openapi.specification.cache_info().hits > uses


@pytest.mark.parametrize("key", ["a/b", "/a//b/", "a\nb", "<key:x>"])
def test_key_in_path_may_hold_any_character(key: str) -> None:
    recorder = Recorder()

    mounted(DOCUMENT, recorder).post(f"/items/1/{key}".replace("\n", "%0A"), json={})

    path_params = recorder.seen["request"].path_params if recorder.seen else {}
    assert path_params.get("key") == key, (
        "Connexion no longer leaves Flask's placeholders in a path alone: look at"
        " apis/flask_utils.py (flaskify_path) and at specification.py."
    )


def test_only_the_adapter_loads_documents_without_validation() -> None:
    invalid = {**DOCUMENT, "info": "invalid"}

    mounted(invalid, Recorder())

    with pytest.raises(InvalidSpecification):
        spec.Specification.load(invalid)
    assert abstract.Specification is spec.Specification, "SpecApi did not restore the loader."


@pytest.mark.parametrize("version", VERSIONS)
def test_connexion_accepts_our_documents(version: str) -> None:
    spec.Specification.load(DOCUMENTS[version])


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        ({}, []),
        ({"size": 1, "when": "no date"}, []),
        ({"size": "x"}, [("'x' is not of type 'integer'", "size")]),
        ([], [("[] is not of type 'object'", "")]),
    ],
)
def test_body_errors_have_airflows_texts(body: Any, texts: list[tuple[str, str]]) -> None:
    schema = {
        **ITEM,
        "properties": {
            **ITEM["properties"],  # type: ignore[dict-item]
            "when": {"type": "string", "format": "date-time"},
        },
    }

    errors = [
        (each.message, ".".join(map(str, each.path))) for each in body_errors(schema, {})(body)
    ]

    assert errors == texts, (
        "Connexion or jsonschema words the errors of a body in another way, or checks formats:"
        " look at json_schema.py (Draft4RequestValidator) and at body_errors."
    )


@pytest.mark.parametrize(
    ("ours", "connexions"),
    [
        (ParameterCheck, validation.ParameterValidator),
        (BodyCheck, validation.RequestBodyValidator),
        (ResponseValidator, response.ResponseValidator),
        (SpecApi.get_request, FlaskApi.get_request),
        (SpecApi.get_response, FlaskApi.get_response),
    ],
    ids=lambda each: each.__qualname__,
)
def test_overrides_keep_connexions_signatures(
    ours: Callable[..., Any], connexions: Callable[..., Any]
) -> None:
    def shape(replaced: Callable[..., Any]) -> list[tuple[Any, bool]]:
        parameters = inspect.signature(replaced).parameters.values()
        return [
            (each.kind if "VAR" in each.kind.name else each.name, each.default is each.empty)
            for each in parameters
        ]

    assert shape(ours) == shape(connexions), (
        f"Connexion calls {connexions.__qualname__} in another way: look at {connexions.__module__}"
        " and at what replaces it in the adapter."
    )


def test_nonconforming_response_is_explained() -> None:
    operation = SimpleNamespace(response_schema=lambda status, mimetype: {"type": "object"})
    answer = Response('["a"]', mimetype="application/json")

    with pytest.raises(NonConformingResponseBody) as error:
        ResponseValidator(operation, "application/json").check(answer)

    assert str(error.value.message).startswith('["a"] is not of type "object"')
