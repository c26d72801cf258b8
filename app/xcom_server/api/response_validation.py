"""Validation of responses against the OpenAPI document, for tests and the setting for it."""

import functools
import json
from collections.abc import Callable
from typing import Any

from connexion.exceptions import NonConformingResponseBody
from flask import Response
from jsonschema_rs import Draft4Validator
from pydantic_core import from_json

from xcom_server.api.json_schema import compile_schema


class ResponseValidator:
    """Validates the responses of a handler; one that does not conform becomes a 500."""

    def __init__(self, operation: Any, mimetype: str, validator: Any = None) -> None:
        self.operation = operation
        self._validator = functools.cache(self._compile)

    def __call__(self, handler: Callable[[Any], Response]) -> Callable[[Any], Response]:
        """Return a handler that calls `handler` and checks its response."""

        @functools.wraps(handler)
        def checked(request: Any) -> Response:
            response = handler(request)
            self.check(response)
            return response

        return checked

    def check(self, response: Response) -> None:
        """Raise NonConformingResponseBody for a response that does not match its schema.

        A response that is not JSON is not checked, nor is one without a schema, by status code and
        media type.
        """
        if not response.is_json:
            return
        content_type = response.headers.get("Content-Type", "")
        validator = self._validator(response.status_code, content_type)
        if validator is None:
            return
        data = _parse(response.get_data())
        if not validator.is_valid(data):
            raise NonConformingResponseBody(message=str(next(validator.iter_errors(data))))

    def _compile(self, status: int, content_type: str) -> Draft4Validator | None:
        schema = self.operation.response_schema(str(status), content_type.partition(";")[0])
        # Connexion adds all components, which contain this schema if operations share a response.
        own = {name: each for name, each in schema.items() if name != "components"}
        return compile_schema(own) if own else None


def _parse(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # a lone surrogate, or nested too deeply for this parser
        return json.loads(body)
