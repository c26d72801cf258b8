"""Requests held against the document, at Connexion's own extension points.

Connexion builds one of each class per operation, when the server starts; what can be compiled is
compiled then.  The texts are those that Airflow 2.10.5 sends, where it refuses the same thing.
"""

import functools
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

from app.api.validation import ResponseValidator
from app.strict_json import AmbiguousJson, InvalidJson

Check = Callable[[Any], str | None]
"""Takes what a client sent for one parameter; returns what is wrong with it, if anything."""

MAX_MEMBERS = 100
"""How many members a body may have; an entry has seven fields."""

MAX_SHOWN = 100
"""How much of a refused value an error repeats, in characters."""


class ParameterValidator(ConnexionParameterValidator):  # type: ignore[misc]
    """Refuse parameters that the document does not know, and values it does not allow."""

    def __init__(self, parameters: list[dict[str, Any]], api: Any,
                 strict_validation: bool = False) -> None:
        super().__init__(parameters, api, strict_validation)
        self._query = {p["name"]: _compiled(p) for p in self.parameters["query"]}
        self._path = {p["name"]: _compiled(p) for p in self.parameters["path"]}

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler behind the check."""
        @functools.wraps(function)
        def checked(request: ConnexionRequest) -> Any:
            unknown = request.query.keys() - self._query.keys()
            if unknown:
                raise ExtraParameterProblem([], sorted(unknown))
            _refuse(self._query, request.query)
            _refuse(self._path, request.path_params)
            return function(request)
        return checked


class BodyValidator(ConnexionBodyValidator):  # type: ignore[misc]
    """Refuse bodies that are empty, not JSON, or of the wrong type."""

    validator: Any

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Which formats jsonschema checks depends on what else is installed; dates are the
        # schemas' to read.
        self.validator = self.validator.evolve(format_checker=None)

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
        error = next(self.validator.iter_errors(data), None)
        if error is not None:
            refused = repr(error.instance)
            shown = refused if len(refused) <= MAX_SHOWN else refused[:MAX_SHOWN] + "…"
            message = error.message.replace(refused, shown, 1)
            raise BadRequestProblem(detail=message + self._error_path_message(error))


VALIDATORS = {"parameter": ParameterValidator, "body": BodyValidator,
              "response": ResponseValidator}


def _refuse(checks: dict[str, Check], given: dict[str, Any]) -> None:
    for name, check in checks.items():
        if name in given and (wrong := check(given[name])):
            raise BadRequestProblem(detail=wrong)


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


def _compiled(parameter: dict[str, Any]) -> Check:
    schema = parameter["schema"]
    compile_check = {"integer": _integer, "boolean": _boolean, "string": _string,
                     "array": _anything}[schema["type"]]
    return compile_check(parameter["in"], parameter["name"], schema)


def _integer(place: str, name: str, schema: dict[str, Any]) -> Check:
    """Take ASCII digits only: Python's int() would also read `1_0`, ` 1` and Arabic digits."""
    digits = re.compile("-?[0-9]{1,4000}")
    bounds = [(keyword, words, schema[keyword]) for keyword, words in
              (("minimum", "less than the minimum"), ("maximum", "greater than the maximum"))
              if keyword in schema]

    def check(text: str) -> str | None:
        if not digits.fullmatch(text):
            return _wrong_type("integer", place, name)
        for keyword, words, bound in bounds:
            if (int(text) < bound) if keyword == "minimum" else (int(text) > bound):
                return (f"{int(text)} is {words} of {bound}\n\n"
                        f"Failed validating {keyword!r} in schema:\n"
                        f"    {{'type': 'integer', {keyword!r}: {bound}}}\n\n"
                        f"On instance:\n    {int(text)}")
        return None
    return check


def _boolean(place: str, name: str, schema: dict[str, Any]) -> Check:
    def check(text: str) -> str | None:
        return None if text.lower() in ("true", "false") else _wrong_type("boolean", place, name)
    return check


def _string(place: str, name: str, schema: dict[str, Any]) -> Check:
    """Refuse with the description of the schema, which says its rule in words."""
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", float("inf"))
    pattern = re.compile(schema.get("pattern", ""))

    def check(text: str) -> str | None:
        if shortest <= len(text) <= longest and pattern.search(text):
            return None
        return f"Wrong length or character in {place} parameter '{name}': {schema['description']}"
    return check


def _anything(place: str, name: str, schema: dict[str, Any]) -> Check:
    return lambda values: None


def _wrong_type(expected: str, place: str, name: str) -> str:
    return f"Wrong type, expected '{expected}' for {place} parameter '{name}'"
