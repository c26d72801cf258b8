"""Requests held against the document as FastAPI holds them, at Connexion's own extension points.

Airflow 3's errors are pydantic's, so pydantic-core reads what a client sent: a body's fields, and
parameters leniently (`limit=+5`, `stringify=yes`, a moment as Unix seconds).  All that is wrong
with a request is told at once.  The schemas are compiled from the document when the server starts.
"""

import functools
import re
from collections.abc import Callable, Iterable
from typing import Any

from connexion.exceptions import BadRequestProblem
from connexion.lifecycle import ConnexionRequest
from flask import request as flask_request
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from xcom_server.api import json_io
from xcom_server.api.response_validation import ResponseValidator
from xcom_server.errors import ReservedKeys
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson, JsonObject, UnreadableJson
from xcom_server.values.reserved import refuse_reserved

Error = dict[str, Any]
"""One thing that is wrong: `type`, `loc`, `msg`, `input` and perhaps `ctx`."""

MAX_ERRORS = 100
"""How many errors a refusal lists."""

_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")  # escaped once, not the escape of a backslash

_BODY = "body"
"""The name under which Connexion hands a body to a handler."""


class InvalidRequest(Exception):
    """What is wrong with a request, in FastAPI's words."""

    def __init__(self, errors: list[Error]) -> None:
        super().__init__(errors)
        self.errors = errors[:MAX_ERRORS]


class ParameterValidator:
    """Read path and query; unknown query parameters are ignored, and the last of several counts."""

    def __init__(self, parameters: list[dict[str, Any]], api: Any,
                 strict_validation: bool = False) -> None:
        in_order = sorted(parameters, key=lambda each: (each["in"] != "path",
                                                        each.get("x-read-last", False)))
        self._checks = {(each["in"], each["name"]): SchemaValidator(_schema(each["schema"]))
                        for each in in_order if each["in"] != "header"}
        self._arrays = {each["name"] for each in parameters if each["schema"]["type"] == "array"}
        self._defaults = {each["name"]: each["schema"]["default"] for each in parameters
                          if "default" in each["schema"]}

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler behind the check."""
        @functools.wraps(function)
        def checked(request: ConnexionRequest) -> Any:
            query = {name: each if name in self._arrays else each[-1]
                     for name, each in flask_request.args.lists()}
            given = {"path": request.path_params, "query": query}
            values: dict[str, Any] = {}
            errors: list[Error] = []
            for (place, name), check in self._checks.items():
                if name in given[place]:
                    values[name] = read(check, given[place][name], (place, name), errors)
            errors += request.context.pop("errors", [])
            if errors:
                raise InvalidRequest(errors)
            request.context.update(self._defaults | values)
            return function(request)
        return checked


class BodyValidator:
    """Read a body; the parameters' validator comes next and tells of its errors with its own."""

    def __init__(self, schema: dict[str, Any], consumes: list[str], api: Any,
                 is_null_value_valid: bool, strict_validation: bool = False) -> None:
        self._check = SchemaValidator(_model(schema))
        self._fields = list(schema["properties"])

    def _place(self, error: Error) -> int:
        """Return where an error stands among others: fields in their order, then unknown ones."""
        field = error["loc"][-1]
        return self._fields.index(field) if field in self._fields else len(self._fields)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the handler behind the check."""
        @functools.wraps(function)
        def checked(request: ConnexionRequest) -> Any:
            errors: list[Error] = []
            body = json_or_text()
            if body is None:
                errors.append(missing())
            else:
                fields = read(self._check, body, (_BODY,), errors)
                errors += _wrong_value(body)
                if not errors:
                    body.update(fields[0])
                    request.context[_BODY] = body
            request.context["errors"] = sorted(errors, key=self._place)
            return function(request)
        return checked


VALIDATORS = {"parameter": ParameterValidator, "body": BodyValidator,
              "response": ResponseValidator}


def wrong(kind: str, place: Iterable[str | int], message: str, given: Any, **context: Any) -> Error:
    """Return an error in FastAPI's form."""
    error: Error = {"type": kind, "loc": list(place), "msg": message, "input": given}
    return error | ({"ctx": context} if context else {})


def missing() -> Error:
    """Return the error for a body that is not there."""
    return wrong("missing", [_BODY], "Field required", None)


def read(check: SchemaValidator, given: Any, place: tuple[str, ...], errors: list[Error]) -> Any:
    """Return what a check makes of a value; what is wrong with it is added to the errors."""
    try:
        return check.validate_python(given)
    except ValidationError as error:
        errors += [each | {"loc": [*place, *each["loc"]]}
                   for each in error.errors(include_url=False)[:MAX_ERRORS]]
        return None


def json_body() -> Any:
    """Return the body as JSON; of several members of one name the last counts, as in Airflow."""
    return json_io.json_body(duplicate_keys=True)


def json_or_text() -> Any:
    """Return the body as JSON where its media type says so, else as text; None where it is empty.

    Raises InvalidRequest for what is not JSON, and BadRequestProblem for what cannot be read.
    """
    body = json_io.read_body()
    if not body:
        return None
    if not flask_request.is_json:
        return body.decode(errors="replace")
    try:
        return json_body()
    except UnreadableJson:
        raise BadRequestProblem(detail="There was an error parsing the body") from None
    except AmbiguousJson as error:
        raise InvalidRequest([_not_json(f"it holds {error}")]) from None
    except InvalidJson as error:
        if not error.reason:  # JSON, but for an integer of too many digits
            raise BadRequestProblem(detail="There was an error parsing the body") from None
        raise InvalidRequest([_not_json(error.reason, error.position)]) from None


def refuse_malformed_body() -> None:
    """Refuse a body that is not JSON: FastAPI reads it before it asks who sends it."""
    if flask_request.method in ("PATCH", "POST"):
        json_or_text()


def _not_json(reason: str, *position: int) -> Error:
    return wrong("json_invalid", [_BODY, *position], "JSON decode error", {}, error=reason)


def _wrong_value(body: Any) -> list[Error]:
    """Return what is wrong with the value in a body, beyond what a schema can say."""
    if not isinstance(body, JsonObject) or "value" not in body:
        return []
    text = body.raw("value")
    try:
        refuse_reserved(text)
    except ReservedKeys as error:
        return [_wrong(body, f"XCom {error.place} contains reserved serialization keys:"
                             f" {', '.join(error.names)}. These keys are reserved for internal"
                             " use.")]
    if _NUL.search(text):
        return [_wrong(body, "XCom value contains a NUL character, which Airflow's databases"
                             " refuse.")]
    return []


def _wrong(body: JsonObject, reason: str) -> Error:
    return wrong("value_error", [_BODY, "value"], f"Value error, {reason}", body["value"],
                 error={})


def _schema(shape: dict[str, Any]) -> CoreSchema:
    match shape:
        case {"type": "integer"}:
            return core_schema.int_schema(ge=shape.get("minimum"), le=shape.get("maximum"))
        case {"type": "boolean"}:
            return core_schema.bool_schema()
        case {"type": "string", "format": "date-time"}:
            return core_schema.datetime_schema(tz_constraint="aware")
        case {"type": "string"}:
            return core_schema.str_schema(
                min_length=shape.get("minLength"), max_length=shape.get("maxLength"),
                pattern=shape.get("pattern"))
        case {"type": "array"}:
            return core_schema.list_schema(core_schema.str_schema())  # a handler knows which
    return core_schema.any_schema()


def _model(shape: dict[str, Any]) -> CoreSchema:
    fields = {}
    for name, each in shape["properties"].items():
        schema = _schema(each)
        if name not in shape["required"]:
            schema = core_schema.with_default_schema(schema, default=each["default"])
        fields[name] = core_schema.model_field(schema)
    return core_schema.model_fields_schema(fields, extra_behavior="forbid", from_attributes=True)
