"""Schemas compiled when the server starts, and answers held against the document with them."""

import functools
import json
from collections.abc import Callable
from typing import Any

from connexion.exceptions import NonConformingResponseBody
from flask import Response
from jsonschema_rs import Draft4Validator
from pydantic_core import from_json


def compiled(schema: dict[str, Any], *, formats: bool) -> Draft4Validator:
    """Return what checks data against a schema of a document, with or without its formats."""
    return Draft4Validator(_without_nullable(schema), validate_formats=formats)


def _without_nullable(schema: Any) -> Any:
    """Return a schema of OpenAPI 3.0 in the words of JSON Schema."""
    if isinstance(schema, list):
        return [_without_nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _without_nullable(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [{"type": "null"}, inner]} if schema.get("nullable") is True else inner


class ResponseValidator:
    """Hold every answer against the document; one that does not conform becomes a 500."""

    def __init__(self, operation: Any, mimetype: str, validator: Any = None) -> None:
        self._operation = operation
        self._schema = functools.cache(self._compile)

    def __call__(self, function: Callable[..., Response]) -> Callable[..., Response]:
        """Return the handler before the check."""
        @functools.wraps(function)
        def checked(request: Any) -> Response:
            response = function(request)
            self._check(response)
            return response
        return checked

    def _check(self, response: Response) -> None:
        """Raise NonConformingResponseBody where the answer is not the documented one."""
        schema = self._schema(response.status_code, response.headers.get("Content-Type", ""))
        if schema is None:
            return
        data = _read(response.get_data())
        if not schema.is_valid(data):
            raise NonConformingResponseBody(message=str(next(schema.iter_errors(data))))

    def _compile(self, status: int, content_type: str) -> Draft4Validator | None:
        schema = self._operation.response_schema(str(status), content_type.partition(";")[0])
        return compiled(schema, formats=True) if schema else None


def _read(body: bytes) -> Any:
    try:
        return from_json(body)
    except ValueError:  # a lone surrogate, or nested deeper than this reader follows
        return json.loads(body)
