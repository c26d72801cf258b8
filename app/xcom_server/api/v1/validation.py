"""Validation of requests against the OpenAPI document, with the error texts of Airflow 2.10.5.

Connexion creates one instance of a check for each operation when the server starts. The instances
compile schemas and patterns at that time.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from connexion.exceptions import (
    BadRequestProblem,
    ExtraParameterProblem,
    UnsupportedMediaTypeProblem,
)
from flask import request as flask_request
from jsonschema.exceptions import ValidationError

from xcom_server.api import json_io
from xcom_server.api.connexion_adapter import BodyCheck, ParameterCheck, SpecRequest, body_errors
from xcom_server.api.json_schema import Formats, compile_request_schema
from xcom_server.api.v1.parameters import Reader, reader
from xcom_server.formats.rfc3339 import is_date_time
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson

MAX_MEMBERS = 100  # in the JSON object of a body; an entry has seven fields
MAX_SHOWN = 100  # characters of an invalid value that an error repeats
_FORMATS = {"date-time": is_date_time}  # that Airflow's server checks


class ParameterValidator(ParameterCheck):
    """Rejects invalid values, and query parameters that are not in the document."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._query = self._readers("query")
        self._path = self._readers("path")
        self._required = [
            each["name"]
            for each in self.parameters
            if each["in"] == "query" and each.get("required")
        ]

    def _readers(self, place: str) -> dict[str, Reader]:
        return {each["name"]: reader(each) for each in self.parameters if each["in"] == place}

    def check(self, request: SpecRequest) -> None:
        """Store the values of all parameters, or their defaults, in the request's context.

        Raises BadRequestProblem for an invalid value and ExtraParameterProblem for unknown names.
        """
        values = request.context
        values.update(self.defaults)
        if flask_request.query_string or self._required:
            values.update(self._read_query(flask_request.args.to_dict(flat=False)))
        for name, read in self._path.items():
            values[name] = read([request.path_params[name]])

    def _read_query(self, params: dict[str, list[str]]) -> dict[str, Any]:
        unknown = params.keys() - self._query.keys()
        if unknown:
            raise ExtraParameterProblem([], sorted(unknown))
        for name in self._required:
            if name not in params:
                raise BadRequestProblem(detail=f"Missing query parameter '{name}'")
        return {name: read(params[name]) for name, read in self._query.items() if name in params}


class BodyValidator(BodyCheck):
    """Rejects bodies that are empty, are not JSON, or do not match the schema."""

    # Compiled by the first request, since a server starts faster without compiling all schemas.
    @cached_property
    def _is_valid(self) -> Callable[[Any], bool]:
        return compile_request_schema(self.schema, self._formats).is_valid

    @cached_property
    def _errors(self) -> Callable[[Any], Iterator[ValidationError]]:
        return body_errors(self.schema, self._formats)

    @property
    def _formats(self) -> Formats:
        return _FORMATS if self.schema.get("x-check-formats") else {}

    def check(self, request: SpecRequest) -> None:
        """Store the parsed body in the request's context as `body`.

        Raises BadRequestProblem for an invalid body, UnsupportedMediaTypeProblem for a media type
        that is not JSON, and the errors of `json_io.read_body`.
        """
        if not json_io.read_body():
            raise BadRequestProblem(detail="Request body must not be empty")
        if not flask_request.is_json:  # accepts any JSON media type, as Airflow does
            content_type = flask_request.headers.get("Content-Type", "")
            raise UnsupportedMediaTypeProblem(
                detail=f"Invalid Content-type ({content_type}), expected JSON data"
            )
        body = _json_body()
        if isinstance(body, dict) and len(body) > MAX_MEMBERS:
            raise BadRequestProblem(
                detail=f"Request body has {len(body)} members, more than {MAX_MEMBERS}"
            )
        if not self._is_valid(body):
            self._refuse(body)
        request.context["body"] = body

    def _refuse(self, body: Any) -> None:
        """Raise BadRequestProblem with the text of the first error."""
        for error in self._errors(body):
            value = repr(error.instance)
            shown = value if len(value) <= MAX_SHOWN else value[:MAX_SHOWN] + "…"
            path = ".".join(map(str, error.path))
            raise BadRequestProblem(
                detail=error.message.replace(value, shown, 1) + (f" - '{path}'" if path else "")
            )


CHECKS = {"parameter": ParameterValidator, "body": BodyValidator}


def _json_body() -> Any:
    try:
        body = json_io.json_body()
    except AmbiguousJson as error:
        raise BadRequestProblem(
            detail=f"Request body is not valid JSON: it contains {error}"
        ) from None
    except InvalidJson:
        raise BadRequestProblem(detail="Request body is not valid JSON") from None
    if body is None:  # Airflow treats `null` as a body that cannot be parsed
        raise BadRequestProblem(detail="Request body is not valid JSON")
    return body
