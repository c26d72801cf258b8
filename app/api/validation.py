"""Answers held against the document, whatever the version: one that breaks it is a failure."""

import functools
from typing import Any

from connexion.decorators.response import ResponseValidator as ConnexionResponseValidator
from connexion.decorators.validation import ResponseBodyValidator
from connexion.exceptions import NonConformingResponseBody
from jsonschema import ValidationError


class ResponseValidator(ConnexionResponseValidator):  # type: ignore[misc]
    """Hold every answer against the document; one that does not conform becomes a 500."""

    def __init__(self, operation: Any, mimetype: str, validator: Any = None) -> None:
        super().__init__(operation, mimetype, validator)
        self._compiled = functools.cache(self._compile)

    def validate_response(self, data: bytes, status_code: int, headers: dict[str, str],
                          url: str) -> bool:
        """Raise NonConformingResponseBody where the answer is not the documented one."""
        content_type = (headers.get("Content-Type") or self.mimetype).partition(";")[0]
        schema = self._compiled(str(status_code), content_type)
        if schema is not None:
            try:
                schema.validate_schema(self.operation.json_loads(data), url)
            except ValidationError as error:
                raise NonConformingResponseBody(message=str(error)) from None
        return True

    def _compile(self, status: str, content_type: str) -> ResponseBodyValidator | None:
        schema = self.operation.response_schema(status, content_type)
        return ResponseBodyValidator(schema, self.validator) if schema else None
