"""Load and serve the OpenAPI documents, and route their operations to handlers."""

import copy
import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import flask
import yaml
from flask import Flask, Response

from xcom_server.api import json_io, swagger_page
from xcom_server.api.browser_headers import protect
from xcom_server.api.connexion_adapter import Handlers, SpecApi
from xcom_server.api.specification import Specification

# PyYAML's loader in C is as safe and five times as fast, but not every build includes it.
_SAFE_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PACKAGE = Path(__file__).parents[1]
_PATHS = {"emulator": "/_emulator"}  # of documents that are not at /api/NAME
_PATH_IN_YAML = re.compile(rb"^( *(?:- url|tokenUrl): )(/\S*)$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class ApiVersion:
    """One version of the API.

    `name` is the name of its OpenAPI document, such as "v1". `handlers` and `checks` are arguments
    of SpecApi. `authorize` raises AccessError for a request that is not allowed. It is called for
    every operation except those with an empty `security` in the document: before the request is
    validated if `authorize_before_validation` is true, otherwise after.
    """

    name: str
    airflow_version: str
    handlers: Handlers
    checks: Mapping[str, type]
    authorize: Callable[[], None]
    authorize_before_validation: bool


def find(name: str) -> Path:
    """Return the path of the document with this name, such as "v1".

    The documents are in the installed package, or next to `app/` in a checkout.
    """
    folders = (_PACKAGE / "openapi", _PACKAGE.parents[1] / "openapi")
    return next(path for folder in folders if (path := folder / f"{name}.yaml").is_file())


def mount(app: Flask, version: ApiVersion, *, validate_responses: bool) -> None:
    """Add the operations, the OpenAPI document and the Swagger page of a version to an application.

    Raises LookupError, with the name of the operation, if a handler is missing.
    """
    source, document = read(version.name)
    public = {
        operation["operationId"]
        for item in document["paths"].values()
        for operation in item.values()
        if isinstance(operation, dict) and operation.get("security") == []
    }
    handlers = version.handlers
    if not version.authorize_before_validation:
        handlers = {
            operation_id: handler
            if operation_id in public
            else _guarded(version.authorize, handler)
            for operation_id, handler in handlers.items()
        }
    base_path = document["servers"][0]["url"].rstrip("/")
    any_text = getattr(version.checks.get("parameter"), "checks_types_of_path", False)
    api = SpecApi(
        specification(version.name, any_text),
        base_path,
        handlers,
        version.checks,
        validate_responses=validate_responses,
    )
    if version.authorize_before_validation:
        api.blueprint.before_request(
            lambda: (
                None
                if (flask.request.endpoint or "").rpartition(".")[2] in public
                else version.authorize()
            )
        )
    api.register(app, version.name)
    _serve(app, version.name, source, document)


def serve_at_root(app: Flask, name: str) -> None:
    """Serve the document with this name at `/openapi.json`, as Airflow 3 does with its own."""
    document = read(name)[1]
    app.add_url_rule("/openapi.json", "openapi_json", lambda: _as_json(document))


@functools.cache
def read(name: str) -> tuple[bytes, dict[str, Any]]:
    """Return a document as bytes and parsed; callers share the result and must not change it."""
    source = find(name).read_bytes()
    return source, yaml.load(source, _SAFE_LOADER)


@functools.cache
def specification(name: str, any_text: bool) -> Specification:
    """Return a document for SpecApi; resolving its references takes 15 ms."""
    return Specification(read(name)[1], any_text)


def _guarded(
    authorize: Callable[[], None],
    handler: Callable[..., Response],
) -> Callable[..., Response]:
    @functools.wraps(handler)
    def guarded(*args: Any, **arguments: Any) -> Response:
        authorize()
        return handler(*args, **arguments)

    return guarded


def _serve(app: Flask, name: str, source: bytes, document: dict[str, Any]) -> None:
    """Serve a document as JSON, as YAML and as a Swagger UI page."""
    base_path = _PATHS.get(name, f"/api/{name}")
    app.add_url_rule(
        f"{base_path}/openapi.json", f"{name}_openapi_json", lambda: _as_json(document)
    )
    app.add_url_rule(
        f"{base_path}/openapi.yaml",
        f"{name}_openapi_yaml",
        lambda: protect(Response(_yaml_with_prefix(source), content_type="text/yaml")),
    )
    swagger_page.mount(app, name, f"{base_path}/ui", document["info"]["title"])


def _as_json(document: dict[str, Any]) -> Response:
    """Return a document with the prefix of the current request before the paths of its servers."""
    if prefix := quote(flask.request.script_root):
        components = copy.deepcopy(document["components"]["securitySchemes"])
        for scheme in components.values():
            for flow in scheme.get("flows", {}).values():
                flow["tokenUrl"] = prefix + flow["tokenUrl"]
        servers = [
            {**each, "url": prefix + each["url"].rstrip("/")} for each in document["servers"]
        ]
        document = {
            **document,
            "servers": servers,
            "components": {**document["components"], "securitySchemes": components},
        }
    return protect(json_io.indented_json(document))


def _yaml_with_prefix(source: bytes) -> bytes:
    """Return a document in YAML with the same changes."""
    prefix = quote(flask.request.script_root).encode()
    return (
        _PATH_IN_YAML.sub(lambda path: path[1] + prefix + path[2].rstrip(b"/"), source)
        if prefix
        else source
    )
