"""Requests validated against the document as FastAPI does, with the errors of pydantic.

pydantic-core parses the fields of a body, and parameters leniently: `limit=+5`, `stringify=yes`, a
datetime as Unix seconds. One answer reports all errors of a request.
"""

import re
from collections.abc import Iterable
from typing import Any

from connexion.exceptions import BadRequestProblem
from flask import request as flask_request
from pydantic_core import CoreSchema, SchemaValidator, ValidationError, core_schema

from xcom_server.api import json_io
from xcom_server.api.connexion_adapter import BodyCheck, ParameterCheck, RequestError, SpecRequest
from xcom_server.errors import ReservedKeys
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson, JsonObject, UnreadableJson
from xcom_server.values.reserved import refuse_reserved

MAX_ERRORS = 100  # how many errors one answer reports
_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")  # escaped once, not the escape of a backslash

_BODY = "body"  # the argument of a handler, and the first element of `loc` in a body's errors


class InvalidRequest(Exception):
    """The errors of a request, at most MAX_ERRORS."""

    def __init__(self, errors: list[RequestError]) -> None:
        super().__init__(errors)
        self.errors = errors[:MAX_ERRORS]


class ParameterValidator(ParameterCheck):
    """Ignores unknown query parameters; of several with one name the last counts."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        in_order = sorted(
            self.parameters, key=lambda each: (each["in"] != "path", each.get("x-read-last", False))
        )
        self._validators = {
            (each["in"], each["name"]): SchemaValidator(_schema(each["schema"]))
            for each in in_order
            if each["in"] != "header"
        }
        self._arrays = {each["name"] for each in in_order if each["schema"]["type"] == "array"}

    def check(self, request: SpecRequest) -> None:
        """Put the values of all parameters, or their defaults, into the request's context.

        Raises InvalidRequest with the errors of the body too, after those of the parameters.
        """
        query = {
            name: texts if name in self._arrays else texts[-1]
            for name, texts in flask_request.args.lists()
        }
        params: dict[str, dict[str, Any]] = {"path": request.path_params, "query": query}
        values: dict[str, Any] = {}
        errors: list[RequestError] = []
        for (place, name), validator in self._validators.items():
            if name in params[place]:
                values[name] = validate(validator, params[place][name], (place, name), errors)
        errors += request.errors
        if errors:
            raise InvalidRequest(errors)
        request.context.update(self.defaults | values)


class BodyValidator(BodyCheck):
    """Validates a body; the parameter check reports its errors together with its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._validator = SchemaValidator(_model(self.schema))
        self._fields = list(self.schema["properties"])

    def _sort_key(self, error: RequestError) -> int:
        """Sort errors by the order of fields in the document; unknown fields come last."""
        field = error["loc"][-1]
        return self._fields.index(str(field)) if field in self._fields else len(self._fields)

    def check(self, request: SpecRequest) -> None:
        """Put the body into the request's context, or its errors into the request."""
        errors: list[RequestError] = []
        body = json_or_text()
        if body is None:
            errors.append(missing_body())
        else:
            fields = validate(self._validator, body, (_BODY,), errors)
            errors += _value_errors(body)
            if not errors:
                body.update(fields[0])
                request.context[_BODY] = body
        request.errors = sorted(errors, key=self._sort_key)


CHECKS = {"parameter": ParameterValidator, "body": BodyValidator}


def error_detail(
    kind: str,
    loc: Iterable[str | int],
    message: str,
    input_: Any,
    ctx: dict[str, Any] | None = None,
) -> RequestError:
    """Return an error in the form of FastAPI."""
    error: RequestError = {"type": kind, "loc": list(loc), "msg": message, "input": input_}
    if ctx:
        error["ctx"] = ctx
    return error


def missing_body() -> RequestError:
    """Return the error for an empty body."""
    return error_detail("missing", [_BODY], "Field required", None)


def validate(
    validator: SchemaValidator, value: Any, loc: tuple[str, ...], errors: list[RequestError]
) -> Any:
    """Return a value as the validator converts it; add its errors, at `loc`, to `errors`."""
    try:
        return validator.validate_python(value)
    except ValidationError as error:
        errors += [
            error_detail(
                each["type"], (*loc, *each["loc"]), each["msg"], each["input"], each.get("ctx")
            )
            for each in error.errors(include_url=False)[:MAX_ERRORS]
        ]
        return None


def json_or_text() -> Any:
    """Return the body as JSON if its media type says so, otherwise as text; None if it is empty.

    Raises InvalidRequest for a body that is not JSON, and BadRequestProblem for bytes that cannot
    be decoded.
    """
    body = json_io.read_body()
    if not body:
        return None
    if not flask_request.is_json:
        return body.decode(errors="replace")
    try:
        return json_io.json_body(duplicate_keys=True)  # the last counts, as in Airflow
    except UnreadableJson:
        raise BadRequestProblem(detail="There was an error parsing the body") from None
    except AmbiguousJson as error:
        raise InvalidRequest([_not_json(f"it holds {error}")]) from None
    except InvalidJson as error:
        if not error.reason:  # valid JSON with an integer of too many digits
            raise BadRequestProblem(detail="There was an error parsing the body") from None
        raise InvalidRequest([_not_json(error.reason, error.position)]) from None


def refuse_malformed_body() -> None:
    """Raise for a body that is not JSON: FastAPI parses it before it checks credentials."""
    if flask_request.method in ("PATCH", "POST"):
        json_or_text()


def _not_json(reason: str, *position: int) -> RequestError:
    return error_detail(
        "json_invalid", [_BODY, *position], "JSON decode error", {}, {"error": reason}
    )


def _value_errors(body: Any) -> list[RequestError]:
    """Return the errors of a body's value that a schema cannot express."""
    if not isinstance(body, JsonObject) or "value" not in body:
        return []
    text = body.raw("value")
    try:
        refuse_reserved(text)
    except ReservedKeys as error:
        return [_value_error(body, str(error))]
    if _NUL.search(text):
        return [
            _value_error(
                body, "XCom value contains a NUL character, which Airflow's databases refuse."
            )
        ]
    return []


def _value_error(body: JsonObject, reason: str) -> RequestError:
    return error_detail(
        "value_error", [_BODY, "value"], f"Value error, {reason}", body["value"], {"error": {}}
    )


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
                min_length=shape.get("minLength"),
                max_length=shape.get("maxLength"),
                pattern=shape.get("pattern"),
            )
        case {"type": "array"}:
            return core_schema.list_schema(core_schema.str_schema())  # the handler checks the items
    return core_schema.any_schema()


def _model(shape: dict[str, Any]) -> CoreSchema:
    fields = {}
    for name, each in shape["properties"].items():
        schema = _schema(each)
        if name not in shape["required"]:
            schema = core_schema.with_default_schema(schema, default=each["default"])
        fields[name] = core_schema.model_field(schema)
    return core_schema.model_fields_schema(fields, extra_behavior="forbid", from_attributes=True)
