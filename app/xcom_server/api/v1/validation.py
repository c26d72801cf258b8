"""Validation of requests against the OpenAPI document, with the error texts of Airflow 2.10.5.

Connexion creates one instance of a check for each operation when the server starts. The instances
compile schemas and patterns at that time.
"""

import math
import re
from collections.abc import Callable
from typing import Any

from connexion.exceptions import (
    BadRequestProblem,
    ExtraParameterProblem,
    UnsupportedMediaTypeProblem,
)
from flask import request as flask_request

from xcom_server.api import json_io
from xcom_server.api.connexion_adapter import BodyCheck, ParameterCheck, SpecRequest, body_errors
from xcom_server.api.json_schema import compile_schema
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson

Reader = Callable[[list[str]], Any]  # parses the strings of a parameter, or raises an error
MAX_MEMBERS = 100  # in the JSON object of a body; an entry has seven fields
MAX_SHOWN = 100  # characters of an invalid value that an error repeats


class ParameterValidator(ParameterCheck):
    """Rejects invalid values, and query parameters that are not in the document."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._query = self._readers("query")
        self._path = self._readers("path")

    def _readers(self, place: str) -> dict[str, Reader]:
        return {each["name"]: _reader(each) for each in self.parameters if each["in"] == place}

    def check(self, request: SpecRequest) -> None:
        """Store the values of all parameters, or their defaults, in the request's context.

        Raises BadRequestProblem for an invalid value and ExtraParameterProblem for unknown names.
        """
        values = request.context
        values.update(self.defaults)
        if flask_request.query_string:
            values.update(self._read_query(flask_request.args.to_dict(flat=False)))
        for name, read in self._path.items():
            values[name] = read([request.path_params[name]])

    def _read_query(self, params: dict[str, list[str]]) -> dict[str, Any]:
        unknown = params.keys() - self._query.keys()
        if unknown:
            raise ExtraParameterProblem([], sorted(unknown))
        return {name: read(params[name]) for name, read in self._query.items() if name in params}


class BodyValidator(BodyCheck):
    """Rejects bodies that are empty, are not JSON, or do not match the schema."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._is_valid = compile_schema(self.schema, formats=False).is_valid
        self._errors = body_errors(self.schema)

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


def _reader(parameter: dict[str, Any]) -> Reader:
    """Return the function that parses a parameter; if it is repeated, the last value is used."""
    schema = parameter["schema"]
    reader = {"integer": _integer, "boolean": _boolean, "string": _string, "array": _array}[
        schema["type"]
    ]
    return reader(parameter["in"], parameter["name"], schema)


def _integer(place: str, name: str, schema: dict[str, Any]) -> Reader:
    """Accept only ASCII digits; `int()` would also accept `1_0`, ` 1` and Arabic digits."""
    digits = re.compile("-?[0-9]{1,4000}")
    least, most = schema.get("minimum", -math.inf), schema.get("maximum", math.inf)

    def read(texts: list[str]) -> int:
        if not digits.fullmatch(texts[-1]):
            raise _wrong_type("integer", place, name)
        number = int(texts[-1])
        if not least <= number <= most:
            raise _out_of_bounds(number, schema)
        return number

    return read


def _out_of_bounds(number: int, schema: dict[str, Any]) -> BadRequestProblem:
    """Return an error with the text of jsonschema, as Airflow does."""
    keyword, words = (
        ("minimum", "less than the minimum")
        if number < schema.get("minimum", number)
        else ("maximum", "greater than the maximum")
    )
    bound = schema[keyword]
    return BadRequestProblem(
        detail=(
            f"{number} is {words} of {bound}\n\nFailed validating {keyword!r} in schema:\n"
            f"    {{'type': 'integer', {keyword!r}: {bound}}}\n\nOn instance:\n    {number}"
        )
    )


def _boolean(place: str, name: str, schema: dict[str, Any]) -> Reader:
    def read(texts: list[str]) -> bool:
        if texts[-1].lower() not in ("true", "false"):
            raise _wrong_type("boolean", place, name)
        return texts[-1].lower() == "true"

    return read


def _string(place: str, name: str, schema: dict[str, Any]) -> Reader:
    """Include the schema's description in error messages, because it explains the rules."""
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    matches = re.compile(schema.get("pattern", "")).search

    def read(texts: list[str]) -> str:
        text = texts[-1]
        if shortest <= len(text) <= longest and matches(text):
            return text
        raise BadRequestProblem(
            detail=f"Invalid length or character in {place} parameter '{name}':"
            f" {schema['description']}"
        )

    return read


def _array(place: str, name: str, schema: dict[str, Any]) -> Reader:
    """Split the value at commas (in OpenAPI terms: style `form`, not exploded)."""
    return lambda texts: texts[-1].split(",")


def _wrong_type(expected: str, place: str, name: str) -> BadRequestProblem:
    return BadRequestProblem(
        detail=f"Wrong type, expected '{expected}' for {place} parameter '{name}'"
    )
