"""Everything that the server replaces in Connexion 2.15, and what it relies on there.

Connexion runs the steps of an operation in this order: `SpecApi.get_request`, the body check, the
parameter check, the handler, the response check.  Its own steps parse every request again, which
takes longer than the rest of a GET.  tests/api/test_connexion_adapter.py tests each assumption.
"""

import functools
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NotRequired, TypedDict

from connexion.apis.flask_api import FlaskApi
from connexion.decorators.uri_parsing import OpenAPIURIParser
from connexion.exceptions import NonConformingResponseBody
from connexion.json_schema import Draft4RequestValidator
from connexion.lifecycle import ConnexionRequest
from connexion.resolver import Resolution, Resolver
from connexion.spec import OpenAPISpecification
from flask import Flask, Response
from jsonschema.exceptions import ValidationError
from jsonschema_rs import Draft4Validator
from pydantic_core import from_json
from werkzeug.routing import PathConverter

from xcom_server.api.json_schema import compile_schema

Handlers = Mapping[str, Callable[..., Response]]  # by operationId
Schema = dict[str, Any]  # a JSON Schema as OpenAPI 3.0 writes it, with every `$ref` resolved


class RequestError(TypedDict):
    """One error of a request that is answered together with its other errors."""

    type: str
    loc: list[str | int]
    msg: str
    input: Any
    ctx: NotRequired[dict[str, Any]]


class SpecRequest(ConnexionRequest):  # type: ignore[misc]
    """A request as Connexion passes it from step to step.

    `path_params` holds texts from the URL. The checks put the handler's arguments into `context`,
    and what a later check is to report into `errors`. Everything else is left empty, and read
    from Flask's request.
    """

    path_params: dict[str, str]
    context: dict[str, Any]
    json = None

    def __init__(self, path_params: dict[str, str]) -> None:
        super().__init__("", "", path_params)
        self.errors: list[RequestError] = []


Step = Callable[[SpecRequest], Response]


class RequestCheck(ABC):
    """A step that checks a request before the next step gets it."""

    @abstractmethod
    def check(self, request: SpecRequest) -> None:
        """Put arguments into `request.context`, or raise an exception for the error handler."""

    def __call__(self, next_step: Step) -> Step:
        """Return the next step with this check before it."""

        @functools.wraps(next_step)
        def checked(request: SpecRequest) -> Response:
            self.check(request)
            return next_step(request)

        return checked


class ParameterCheck(RequestCheck):
    """Checks path and query; `parameters` are the document's, with every `$ref` resolved.

    `defaults` holds the value of each parameter that has one.
    """

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
    """Checks a body; runs before the parameter check, for operations that take a body."""

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


class ResponseValidator:
    """Validates what the handler of an operation answers; one that does not conform is a 500."""

    def __init__(self, operation: Any, mimetype: str, validator: Any = None) -> None:
        self.operation = operation
        self._validator = functools.cache(self._compile)

    def __call__(self, handler: Callable[[Any], Response]) -> Callable[[Any], Response]:
        """Return the handler with this check after it."""

        @functools.wraps(handler)
        def checked(request: Any) -> Response:
            response = handler(request)
            self.check(response)
            return response

        return checked

    def check(self, response: Response) -> None:
        """Raise NonConformingResponseBody if a response is not as documented."""
        content_type = response.headers.get("Content-Type", "")
        validator = self._validator(response.status_code, content_type)
        if validator is None:
            return
        data = _parse(response.get_data())
        if not validator.is_valid(data):
            raise NonConformingResponseBody(message=str(next(validator.iter_errors(data))))

    def _compile(self, status: int, content_type: str) -> Draft4Validator | None:
        schema = self.operation.response_schema(str(status), content_type.partition(";")[0])
        return compile_schema(schema, formats=True) if schema else None


def _parse(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # a lone surrogate, or nested deeper than this parser follows
        return json.loads(body)


class SpecApi(FlaskApi):  # type: ignore[misc]
    """Connexion's API over Flask, with checks of this server's own.

    `checks` maps `parameter` and `body` to a subclass of ParameterCheck and BodyCheck. Raises
    LookupError, naming the operation, for one without a handler.
    """

    def __init__(
        self,
        document: Mapping[str, Any],
        base_path: str,
        handlers: Handlers,
        checks: Mapping[str, type],
        *,
        validate_responses: bool,
    ) -> None:
        paths = {
            re.sub(r"\{(\w+)\}$", r"<key:\1>", path): item  # a last parameter is a key
            for path, item in document["paths"].items()
        }
        # Connexion would validate the document, which takes 50 ms at every start; it ships with the
        # server, and tests/contract validates it.
        openapi_schema = OpenAPISpecification.openapi_schema
        OpenAPISpecification.openapi_schema = {}
        try:
            super().__init__(
                # Connexion would check credentials before everything else, even for v1.
                {**document, "paths": paths, "security": []},
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
        finally:
            OpenAPISpecification.openapi_schema = openapi_schema

    def register(self, app: Flask, name: str) -> None:
        """Add the operations to an application; their endpoints begin with `name` and a dot."""
        app.url_map.converters["key"] = KeyConverter
        app.register_blueprint(self.blueprint, name=name)

    @classmethod
    def get_request(cls, *args: Any, **path_params: str) -> SpecRequest:
        """Return what Connexion passes from step to step; called once per request."""
        return SpecRequest(path_params)

    @classmethod
    def get_response(
        cls, response: Response, mimetype: str | None = None, request: SpecRequest | None = None
    ) -> Response:
        """Return the response of a handler, which is Flask's already."""
        return response


class KeyConverter(PathConverter):
    """The rest of a path as an XCom key, which may begin with a slash and hold any character.

    Connexion could only use Flask's converter `path`, which refuses both, and which the pages of
    Swagger UI use too.
    """

    regex = r"[\s\S]+"
    part_isolating = False


class _NoURIParser(OpenAPIURIParser):  # type: ignore[misc]
    """Leaves out Connexion's parsing of URLs, which the parameter checks do."""

    def __call__(self, next_step: Step) -> Step:
        return next_step


class _HandlerResolver(Resolver):  # type: ignore[misc]
    """Finds handlers by operationId, which get their arguments from the checks only."""

    def resolve(self, operation: Any) -> Resolution:
        resolution = super().resolve(operation)
        if resolution.function is None:
            raise LookupError(f"no handler for the operation {resolution.operation_id}")
        operation.get_arguments = lambda *args: {}
        return resolution


def body_errors(schema: Schema) -> Callable[[Any], Iterator[ValidationError]]:
    """Return a function that yields a body's errors, in the words that Airflow 2 passes on.

    Formats are not checked: which ones jsonschema knows depends on what else is installed.
    """
    return Draft4RequestValidator(schema).iter_errors  # type: ignore[no-any-return]
