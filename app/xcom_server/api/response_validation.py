"""Schemas of the documents compiled at start, and responses validated with them."""

import functools
import json
from collections.abc import Callable
from typing import Any

from connexion.exceptions import NonConformingResponseBody
from flask import Response
from jsonschema_rs import Draft4Validator
from pydantic_core import from_json


def compile_schema(schema: dict[str, Any], *, formats: bool) -> Draft4Validator:
    """Return a validator for a schema of a document; `formats` are ignored if false."""
    return Draft4Validator(_without_nullable(schema), validate_formats=formats)


def _without_nullable(schema: Any) -> Any:
    """Return a schema of OpenAPI 3.0 as JSON Schema, which has no `nullable`."""
    if isinstance(schema, list):
        return [_without_nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _without_nullable(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [{"type": "null"}, inner]} if schema.get("nullable") is True else inner


class ResponseValidator:
    """Validates what the handler of an operation answers; one that does not conform is a 500.

    Connexion makes one for each operation, and puts it around the handler.
    """

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
