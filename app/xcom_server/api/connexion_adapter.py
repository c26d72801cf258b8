"""The parts of Connexion 2.15 that the server replaces or relies on.

Connexion runs the steps of an operation in this order: `SpecApi.get_request`, the body check, the
parameter check, the handler, the response check. Connexion's own checks are replaced because they
parse every request again, which takes longer than the rest of a GET.
tests/api/test_connexion_adapter.py tests each assumption about Connexion.
"""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, NotRequired, TypedDict

from connexion.apis import abstract
from connexion.apis.flask_api import FlaskApi
from connexion.decorators.uri_parsing import OpenAPIURIParser
from connexion.json_schema import Draft4RequestValidator
from connexion.lifecycle import ConnexionRequest
from connexion.resolver import Resolution, Resolver
from flask import Flask, Response
from jsonschema import FormatChecker
from jsonschema.exceptions import ValidationError
from werkzeug.routing import PathConverter

from xcom_server.api.json_schema import Formats
from xcom_server.api.response_validation import ResponseValidator
from xcom_server.api.specification import Specification

Handlers = Mapping[str, Callable[..., Response]]  # by operationId
Schema = dict[str, Any]  # a schema of OpenAPI 3.0, with every `$ref` resolved


class RequestError(TypedDict):
    """One error of a request, in the format of FastAPI; a response lists all of them.

    `type` and `msg` are the code and text of pydantic. `loc` is the path to the invalid value,
    such as `["body", "key"]`, `input` is that value, and `ctx` holds the variables of `msg`.
    """

    type: str
    loc: list[str | int]
    msg: str
    input: Any
    ctx: NotRequired[dict[str, Any]]


class SpecRequest(ConnexionRequest):  # type: ignore[misc]
    """A request as Connexion passes it from step to step.

    `path_params` holds the strings from the URL. The checks store the handler's arguments in
    `context`. `errors` holds errors that a later check reports. Connexion's other attributes are
    empty: the checks read Flask's request instead.
    """

    path_params: dict[str, str]
    context: dict[str, Any]
    json = None

    def __init__(self, path_params: dict[str, str]) -> None:
        super().__init__("", "", path_params)
        self.errors: list[RequestError] = []


Step = Callable[[SpecRequest], Response]


class RequestCheck(ABC):
    """A step that checks a request before passing it to the next step."""

    @abstractmethod
    def check(self, request: SpecRequest) -> None:
        """Store arguments in `request.context`, or raise an exception for the error handler."""

    def __call__(self, next_step: Step) -> Step:
        """Return a step that runs this check and then `next_step`."""

        @functools.wraps(next_step)
        def checked(request: SpecRequest) -> Response:
            self.check(request)
            return next_step(request)

        return checked


class ParameterCheck(RequestCheck):
    """Checks the path and query parameters of an operation.

    `parameters` holds their definitions in the document, with every `$ref` resolved. `defaults`
    maps the names of parameters to their default values. If `checks_types_of_path` is false, a path
    with text in the place of an integer matches no route.
    """

    checks_types_of_path = False

    def __init__(
        self, parameters: list[dict[str, Any]], api: "SpecApi", strict_validation: bool = False
    ) -> None:
        self.parameters = parameters
        self.defaults = {
            each["name"]: each["schema"]["default"]
            for each in parameters
            if "default" in each["schema"]
        }


class BodyCheck(RequestCheck):
    """Checks the body of an operation that has one; runs before the parameter check."""

    def __init__(
        self,
        schema: Schema,
        consumes: list[str],
        api: "SpecApi",
        is_null_value_valid: bool = False,
        validator: Any = None,
        strict_validation: bool = False,
    ) -> None:
        self.schema = schema


@contextmanager
def _loaded() -> Iterator[None]:
    """Let Connexion use a Specification as it is, instead of loading a file or a dict."""
    loader = abstract.Specification
    abstract.Specification = SimpleNamespace(load=lambda loaded, arguments: loaded)
    try:
        yield
    finally:
        abstract.Specification = loader


class SpecApi(FlaskApi):  # type: ignore[misc]
    """Connexion's Flask API with the server's own checks.

    `checks` maps "parameter" to a subclass of ParameterCheck and "body" to one of BodyCheck.
    `handlers` maps each operationId to a function. Creating an instance raises LookupError, with
    the name of the operation, if a handler is missing.
    """

    def __init__(
        self,
        specification: Specification,
        base_path: str,
        handlers: Handlers,
        checks: Mapping[str, type],
        *,
        validate_responses: bool,
    ) -> None:
        with _loaded():
            super().__init__(
                specification.copy(),
                base_path,
                resolver=_HandlerResolver(handlers.get),
                validator_map={"response": ResponseValidator, **checks},
                validate_responses=validate_responses,
                options={
                    "serve_spec": False,
                    "swagger_ui": False,
                    "uri_parser_class": _NoURIParser,
                },
            )

    def register(self, app: Flask, name: str) -> None:
        """Add the operations to a Flask application, with endpoints that begin with `name.`."""
        app.url_map.converters["key"] = KeyConverter
        app.register_blueprint(self.blueprint, name=name)

    @classmethod
    def get_request(cls, *args: Any, **path_params: str) -> SpecRequest:
        """Return the object that Connexion passes from step to step; called once per request."""
        return SpecRequest(path_params)

    @classmethod
    def get_response(
        cls, response: Response, mimetype: str | None = None, request: SpecRequest | None = None
    ) -> Response:
        """Return the response of a handler unchanged: it is already a Flask response."""
        return response


class KeyConverter(PathConverter):
    """Matches the rest of a path as an XCom key: any characters, even a slash at the start.

    Connexion only supports Flask's `path` converter, which matches neither a leading slash nor a
    line break. Swagger UI uses that converter too, so it is not replaced.
    """

    regex = r"[\s\S]+"
    part_isolating = False


class _NoURIParser(OpenAPIURIParser):  # type: ignore[misc]
    """Disables Connexion's parsing of URLs, because the parameter checks parse them."""

    def __call__(self, next_step: Step) -> Step:
        return next_step


class _HandlerResolver(Resolver):  # type: ignore[misc]
    """Finds handlers by operationId, and lets only the checks set their arguments."""

    def resolve(self, operation: Any) -> Resolution:
        resolution = super().resolve(operation)
        if resolution.function is None:
            raise LookupError(f"no handler for the operation {resolution.operation_id}")
        operation.get_arguments = lambda *args: {}
        return resolution


def body_errors(schema: Schema, formats: Formats) -> Callable[[Any], Iterator[ValidationError]]:
    """Return a function that yields the errors of a body, with the same messages as Airflow 2.

    Only `formats` are checked: jsonschema's own checks depend on the installed packages.
    """
    checker = FormatChecker(())
    for name, is_valid in formats.items():
        checker.checks(name)(_of_strings(is_valid))
    return Draft4RequestValidator(schema, format_checker=checker).iter_errors  # type: ignore[no-any-return]


def _of_strings(is_valid: Callable[[str], bool]) -> Callable[[object], bool]:
    return lambda value: not isinstance(value, str) or is_valid(value)
