"""Requests held against the document, at Connexion's own extension points.

Connexion builds one of each class per operation, when the server starts; what can be compiled is
compiled then.  The texts are those that Airflow 2.10.5 sends, where it refuses the same thing.
"""

import functools
import math
import re
from collections.abc import Callable
from typing import Any

from connexion.decorators.validation import ParameterValidator as ConnexionParameterValidator
from connexion.decorators.validation import RequestBodyValidator as ConnexionBodyValidator
from connexion.exceptions import (
    BadRequestProblem,
    ExtraParameterProblem,
    UnsupportedMediaTypeProblem,
)
from connexion.lifecycle import ConnexionRequest
from flask import request as flask_request

from xcom_server.api.response_validation import ResponseValidator, compiled
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson

Read = Callable[[Any], Any]
"""Takes what a client sent for one parameter; returns its value, or raises BadRequestProblem."""

MAX_MEMBERS = 100
"""How many members a body may have; an entry has seven fields."""

MAX_SHOWN = 100
"""How much of a refused value an error repeats, in characters."""


class ParameterValidator(ConnexionParameterValidator):  # type: ignore[misc]
    """Refuse parameters that the document does not know, and values it does not allow."""

    def __init__(self, parameters: list[dict[str, Any]], api: Any,
                 strict_validation: bool = False) -> None:
        super().__init__(parameters, api, strict_validation)
        self._query = {each["name"]: _reader(each) for each in self.parameters["query"]}
        self._path = {each["name"]: _reader(each) for each in self.parameters["path"]}
        self._defaults = {each["name"]: each["schema"]["default"]
                          for each in self.parameters["query"] if "default" in each["schema"]}

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler behind the check, which it gets what was read from."""
        @functools.wraps(function)
        def checked(request: ConnexionRequest) -> Any:
            values = request.context
            values.update(self._defaults)
            if flask_request.query_string:
                values.update(self._in_query(flask_request.args.to_dict(flat=False)))
            for name, read in self._path.items():
                values[name] = read([request.path_params[name]])
            return function(request)
        return checked

    def _in_query(self, given: dict[str, list[str]]) -> dict[str, Any]:
        unknown = given.keys() - self._query.keys()
        if unknown:
            raise ExtraParameterProblem([], sorted(unknown))
        return {name: read(given[name]) for name, read in self._query.items() if name in given}


class BodyValidator(ConnexionBodyValidator):  # type: ignore[misc]
    """Refuse bodies that are empty, not JSON, or of the wrong type."""

    validator: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Which formats jsonschema checks depends on what else is installed; dates are the
        # schemas' to read.
        self.validator = self.validator.evolve(format_checker=None)
        self._is_valid = compiled(self.schema, formats=False).is_valid

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler behind the check."""
        @functools.wraps(function)
        def checked(request: ConnexionRequest) -> Any:
            if not request.body:
                raise BadRequestProblem(detail="Request body must not be empty")
            _refuse_media_type()
            self.validate_schema(_parsed(request), request.url)
            return function(request)
        return checked

    def validate_schema(self, data: Any, url: str) -> None:
        """Raise BadRequestProblem where the body has not the shape that the document gives."""
        if isinstance(data, dict) and len(data) > MAX_MEMBERS:
            raise BadRequestProblem(
                detail=f"Request body has {len(data)} members, more than {MAX_MEMBERS}")
        if self._is_valid(data):
            return
        error = next(self.validator.iter_errors(data), None)  # whose words Airflow passes on
        if error is not None:
            refused = repr(error.instance)
            shown = refused if len(refused) <= MAX_SHOWN else refused[:MAX_SHOWN] + "…"
            message = error.message.replace(refused, shown, 1)
            raise BadRequestProblem(detail=message + self._error_path_message(error))


VALIDATORS = {"parameter": ParameterValidator, "body": BodyValidator,
              "response": ResponseValidator}


def _refuse_media_type() -> None:
    """Take any JSON media type, as Airflow does; the document names application/json."""
    content_type = flask_request.headers.get("Content-Type", "")
    if not flask_request.is_json:
        raise UnsupportedMediaTypeProblem(
            detail=f"Invalid Content-type ({content_type}), expected JSON data")


def _parsed(request: ConnexionRequest) -> Any:
    try:
        data = request.json
    except AmbiguousJson as error:
        raise BadRequestProblem(
            detail=f"Request body is not valid JSON: it holds {error}") from None
    except InvalidJson:
        raise BadRequestProblem(detail="Request body is not valid JSON") from None
    if data is None:  # Airflow cannot tell `null` from what it failed to read
        raise BadRequestProblem(detail="Request body is not valid JSON")
    return data


def _reader(parameter: dict[str, Any]) -> Read:
    """Return what reads a parameter from the texts that were given for it: the last one counts."""
    schema = parameter["schema"]
    reader = {"integer": _integer, "boolean": _boolean, "string": _string,
              "array": _array}[schema["type"]]
    return reader(parameter["in"], parameter["name"], schema)


def _integer(place: str, name: str, schema: dict[str, Any]) -> Read:
    """Take ASCII digits only: Python's int() would also read `1_0`, ` 1` and Arabic digits."""
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
    """Return the error in jsonschema's words, which Airflow passes on."""
    keyword, words = (("minimum", "less than the minimum")
                      if number < schema.get("minimum", number)
                      else ("maximum", "greater than the maximum"))
    bound = schema[keyword]
    return BadRequestProblem(detail=(
        f"{number} is {words} of {bound}\n\nFailed validating {keyword!r} in schema:\n"
        f"    {{'type': 'integer', {keyword!r}: {bound}}}\n\nOn instance:\n    {number}"))


def _boolean(place: str, name: str, schema: dict[str, Any]) -> Read:
    def read(texts: list[str]) -> bool:
        if texts[-1].lower() not in ("true", "false"):
            raise _wrong_type("boolean", place, name)
        return texts[-1].lower() == "true"
    return read


def _string(place: str, name: str, schema: dict[str, Any]) -> Read:
    """Refuse with the description of the schema, which says its rule in words."""
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", math.inf)
    matches = re.compile(schema.get("pattern", "")).search

    def read(texts: list[str]) -> str:
        text = texts[-1]
        if shortest <= len(text) <= longest and matches(text):
            return text
        raise BadRequestProblem(detail=f"Wrong length or character in {place} parameter '{name}':"
                                       f" {schema['description']}")
    return read


def _array(place: str, name: str, schema: dict[str, Any]) -> Read:
    """Split at commas (OpenAPI: form, not exploded)."""
    return lambda texts: texts[-1].split(",")


def _wrong_type(expected: str, place: str, name: str) -> BadRequestProblem:
    return BadRequestProblem(
        detail=f"Wrong type, expected '{expected}' for {place} parameter '{name}'")
