"""The OpenAPI documents: found, served and mounted, with a handler for every operation."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import flask
import yaml
from connexion.apis.flask_api import FlaskApi
from connexion.lifecycle import ConnexionRequest
from connexion.resolver import Resolver
from flask import Flask, Response
from flask.globals import request_ctx
from flask_swagger_ui import get_swaggerui_blueprint

from app.api import wire
from app.api.validation import VALIDATORS

Handlers = Mapping[str, Callable[..., Any]]
"""operationId -> the function that answers it."""

# libyaml's loader, where PyYAML was built with it: five times as fast, and as safe.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_PACKAGE = Path(__file__).parents[1]


class SpecApi(FlaskApi):  # type: ignore[misc]
    """Connexion's API over Flask, with bodies read strictly and forms never parsed."""

    @classmethod
    def get_request(cls, *args: Any, **params: Any) -> ConnexionRequest:
        """Return what Connexion's decorators hand on; called once per request."""
        context: dict[str, Any] = {}
        request_ctx.connexion_context = context  # type: ignore[attr-defined]
        request = flask.request
        # A body that no operation reads is ignored, as Airflow ignores it.
        body = wire.read_body(request) if request.method in ("PATCH", "POST") else None
        return ConnexionRequest(
            request.url, request.method, headers=request.headers, query=request.args, body=body,
            json_getter=lambda: body and wire.read_json(body),
            path_params=params, context=context, cookies=request.cookies, files={})


def find(version: str) -> Path:
    """Return the path of a document, `v1` say: in the wheel, or beside `app/` in a checkout."""
    places = (_PACKAGE / "openapi", _PACKAGE.parent / "openapi")
    return next(path for place in places if (path := place / f"{version}.yaml").is_file())


def mount(app: Flask, version: str, handlers: Handlers, *, validate_responses: bool) -> None:
    """Route a document's operations to their handlers, and serve it with its page.

    Raises LookupError, naming the operation, where one has no handler.
    """
    source = find(version).read_bytes()
    document = yaml.load(source, _SAFE_LOADER)
    base_path = document["servers"][0]["url"]
    api = SpecApi(
        deepcopy(document), base_path, resolver=Resolver(_finder(handlers)), strict_validation=True,
        validate_responses=validate_responses, validator_map=VALIDATORS,
        options={"serve_spec": False, "swagger_ui": False})
    app.register_blueprint(api.blueprint)
    _serve(app, version, base_path, source, document)


def _finder(handlers: Handlers) -> Callable[[str], Callable[..., Any]]:
    def find_handler(operation_id: str) -> Callable[..., Any]:
        if operation_id not in handlers:
            raise LookupError(f"no handler for the operation {operation_id}")
        return handlers[operation_id]
    return find_handler


def _serve(app: Flask, version: str, base_path: str, source: bytes,
           document: dict[str, Any]) -> None:
    def as_json() -> Response:
        return wire.answer(document)

    def as_yaml() -> Response:
        return Response(source, content_type="text/yaml")

    app.add_url_rule(f"{base_path}/openapi.json", f"{version}_openapi_json", as_json)
    app.add_url_rule(f"{base_path}/openapi.yaml", f"{version}_openapi_yaml", as_yaml)
    app.register_blueprint(get_swaggerui_blueprint(
        f"{base_path}/ui", f"{base_path}/openapi.json",
        config={"app_name": document["info"]["title"]}, blueprint_name=f"{version}_ui"))
