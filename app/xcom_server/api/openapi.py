"""The OpenAPI documents: found, served and mounted, with a handler for every operation."""

import functools
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from types import MappingProxyType
from typing import Any

import flask
import yaml
from connexion.apis.flask_api import FlaskApi
from connexion.lifecycle import ConnexionRequest
from connexion.resolver import Resolver
from flask import Flask, Response
from flask_swagger_ui import get_swaggerui_blueprint

from xcom_server.api import json_io

Handlers = Mapping[str, Callable[..., Any]]
"""operationId -> the function that answers it."""

# libyaml's loader, where PyYAML was built with it: five times as fast, and as safe.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PACKAGE = Path(__file__).parents[1]

_WITH_BODY = ("PATCH", "POST")


@dataclass(frozen=True, kw_only=True)
class Version:
    """What one version of the API brings along.

    `guard` is called for every operation but those that the document says need no credentials:
    before the request is held against the document where `authorize_before_validation`, else after it.  `strict`
    refuses query parameters that the document does not know, and `json_body` reads the current
    request's body.
    """

    name: str
    handlers: Handlers
    validators: Mapping[str, Any]
    guard: Callable[[], None]
    authorize_before_validation: bool
    strict: bool
    json_body: Callable[[], Any]


class SpecRequest(ConnexionRequest):  # type: ignore[misc]
    """A request as Connexion's decorators hand it on, of which nothing is copied.

    What an operation is called with goes by `context`, where the validators leave what they read.
    """

    query: Mapping[str, str] = MappingProxyType({})
    files = form = query

    def __init__(self, path_params: dict[str, str], json_body: Callable[[], Any]) -> None:
        self.path_params = path_params
        self.context: dict[str, Any] = {}
        # A body that no operation reads is ignored, as Airflow ignores it.
        self.body = json_io.read_body() if flask.request.method in _WITH_BODY else b""
        self.json_getter = json_body if self.body else _nothing

    @property
    def url(self) -> str:
        """The request's whole URL."""
        return flask.request.url


class SpecApi(FlaskApi):  # type: ignore[misc]
    """Connexion's API over Flask, in which the validators alone read what a client sent."""

    def __init__(self, *args: Any, json_body: Callable[[], Any], **options: Any) -> None:
        self._json_body = json_body
        super().__init__(*args, **options)

    def get_request(self, *args: Any, **params: Any) -> SpecRequest:
        """Return what Connexion's decorators hand on; called once per request."""
        return SpecRequest(params, self._json_body)

    @classmethod
    def get_response(cls, response: Response, *args: Any, **options: Any) -> Response:
        """Return a handler's answer, which is Flask's already."""
        return response

    def _add_operation_internal(self, method: str, path: str, operation: Any) -> None:
        takes_body = bool(operation.body_schema)
        operation.get_arguments = lambda path_params, query, body, *_: (
            {"body": body} if takes_body else {})
        super()._add_operation_internal(method, path, operation)


def unread(parameters: Any, body: Any) -> Callable[..., Any]:
    """Return Connexion's step that reads URLs, which here is the validators' to do."""
    return lambda function: function


def _nothing() -> None:
    return None


def find(version: str) -> Path:
    """Return the path of a document, `v1` say: in the wheel, or beside `app/` in a checkout."""
    places = (_PACKAGE / "openapi", _PACKAGE.parents[1] / "openapi")
    return next(path for place in places if (path := place / f"{version}.yaml").is_file())


def mount(app: Flask, version: Version, *, validate_responses: bool) -> None:
    """Route a document's operations to their handlers, and serve it with its page.

    Raises LookupError, naming the operation, where one has no handler.
    """
    source, document = _read(version.name)
    is_open = set(_open(document))
    handlers = version.handlers
    if not version.authorize_before_validation:
        handlers = {operation_id: handler if operation_id in is_open
                    else _behind(version.guard, handler)
                    for operation_id, handler in handlers.items()}
    base_path = document.get("servers", [{"url": ""}])[0]["url"]
    api = SpecApi(
        # Connexion's own checks of credentials cannot come after a request is validated.
        {**deepcopy(document), "security": []}, base_path, resolver=Resolver(_finder(handlers)),
        strict_validation=version.strict, validate_responses=validate_responses,
        validator_map=version.validators, json_body=version.json_body,
        options={"serve_spec": False, "swagger_ui": False, "uri_parser_class": unread})
    if version.authorize_before_validation:
        api.blueprint.before_request(
            lambda: None if _operation_id() in is_open else version.guard())
    app.register_blueprint(api.blueprint, name=version.name)
    _serve(app, version.name, f"/api/{version.name}", source, document)


@functools.cache
def _read(version: str) -> tuple[bytes, dict[str, Any]]:
    """Return a document as it is written and as what it says, which nobody may change."""
    source = find(version).read_bytes()
    return source, yaml.load(source, _SAFE_LOADER)


def _open(document: dict[str, Any]) -> Iterator[str]:
    """Yield the operationId of every operation that needs no credentials."""
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and operation.get("security") == []:
                yield operation["operationId"]


def _behind(guard: Callable[[], None], handler: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(handler)
    def guarded(*args: Any, **given: Any) -> Any:
        guard()
        return handler(*args, **given)
    return guarded


def _operation_id() -> str:
    return (flask.request.endpoint or "").rpartition(".")[2]


def _finder(handlers: Handlers) -> Callable[[str], Callable[..., Any]]:
    def find_handler(operation_id: str) -> Callable[..., Any]:
        if operation_id not in handlers:
            raise LookupError(f"no handler for the operation {operation_id}")
        return handlers[operation_id]
    return find_handler


def _serve(app: Flask, version: str, base_path: str, source: bytes,
           document: dict[str, Any]) -> None:
    def as_json() -> Response:
        return json_io.indented(document)

    def as_yaml() -> Response:
        return Response(source, content_type="text/yaml")

    app.add_url_rule(f"{base_path}/openapi.json", f"{version}_openapi_json", as_json)
    app.add_url_rule(f"{base_path}/openapi.yaml", f"{version}_openapi_yaml", as_yaml)
    app.register_blueprint(get_swaggerui_blueprint(
        f"{base_path}/ui", f"{base_path}/openapi.json",
        config={"app_name": document["info"]["title"]}, blueprint_name=f"{version}_ui"))
