"""Validation of requests against the OpenAPI document, with the errors of FastAPI and pydantic.

pydantic-core parses parameters and the fields of a body. As in Airflow it is lenient: `limit=+5`,
`stringify=yes` and a datetime in Unix seconds are valid. One response lists all errors.
"""

import re
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import request as flask_request
from pydantic_core import SchemaValidator, ValidationError

from xcom_server.api import json_io
from xcom_server.api.connexion_adapter import BodyCheck, ParameterCheck, RequestError, SpecRequest
from xcom_server.api.v2 import shapes
from xcom_server.api.v2.bounded_errors import MAX_ERRORS
from xcom_server.api.v2.filters import NULL_STATES
from xcom_server.errors import ReservedKeys
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson, JsonObject, UnreadableJson
from xcom_server.values.reserved import refuse_reserved

_NUL = re.compile(r"(?<!\\)(\\\\)*\\u0000")  # an escaped NUL, but not a backslash followed by u0000

_BODY = "body"  # the name of a handler's argument, and the first element of `loc`


class InvalidRequest(Exception):
    """A request is invalid; `errors` holds at most MAX_ERRORS of its errors."""

    def __init__(self, errors: list[RequestError]) -> None:
        super().__init__(errors)
        self.errors = errors[:MAX_ERRORS]


class ParameterValidator(ParameterCheck):
    """Parses path and query parameters; unknown ones are ignored.

    If a parameter that is not an array is repeated, the last value is used.
    """

    checks_types_of_path = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        in_order = sorted(
            self.parameters, key=lambda each: (each["in"] != "path", each.get("x-read-last", False))
        )
        self._in_order = [each for each in in_order if each["in"] != "header"]
        self._arrays = {each["name"] for each in in_order if each["schema"].get("type") == "array"}
        self._required = [
            each["name"] for each in in_order if each["in"] == "query" and each.get("required")
        ]
        self._checked_first = {
            each["name"]: (each["x-checked-first"], each["schema"]["items"]["enum"])
            for each in in_order
            if "x-checked-first" in each
        }

    # Compiled by the first request, since a server starts faster without compiling all schemas.
    @cached_property
    def _validators(self) -> dict[tuple[str, str], SchemaValidator]:
        return {
            (each["in"], each["name"]): SchemaValidator(
                shapes.query_value(each["name"], each["schema"])
            )
            for each in self._in_order
        }

    def check(self, request: SpecRequest) -> None:
        """Store the values of all parameters, or their defaults, in the request's context.

        Raises InvalidRequest with the errors of the parameters, followed by those of the body.
        Raises ProblemException if a parameter with `x-checked-first` is invalid, without the other
        errors.
        """
        query = {
            name: texts if name in self._arrays else texts[-1]
            for name, texts in flask_request.args.lists()
        }
        self._check_first(query)
        params: dict[str, dict[str, Any]] = {"path": request.path_params, "query": query}
        values: dict[str, Any] = {}
        errors: list[RequestError] = []
        for (place, name), validator in self._validators.items():
            if name in params[place]:
                values[name] = validate(validator, params[place][name], (place, name), errors)
            elif name in self._required:
                errors.append(error_detail("missing", (place, name), "Field required", None))
        errors += request.errors
        if errors:
            raise InvalidRequest(errors)
        request.context.update(self.defaults | values)

    def _check_first(self, query: dict[str, Any]) -> None:
        for name, (label, names) in self._checked_first.items():
            if not set(query.get(name, [])) <= set(names):
                valid = ", ".join(each for each in names if each not in NULL_STATES)
                raise ProblemException(
                    422, detail=f"Invalid value for {label}. Valid values are {valid}"
                )


class BodyValidator(BodyCheck):
    """Validates a body; the parameter check reports the errors together with its own."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._fields = list(self.schema["properties"])

    @cached_property
    def _validator(self) -> SchemaValidator:
        return SchemaValidator(shapes.model(self.schema))

    def _sort_key(self, error: RequestError) -> int:
        """Return the position of the error's field in the document; unknown fields come last."""
        field = error["loc"][1] if len(error["loc"]) > 1 else ""
        return self._fields.index(str(field)) if field in self._fields else len(self._fields)

    def _shortened(self, body: Any) -> Any:
        """Return a body without unknown fields whose errors no response lists."""
        if not isinstance(body, dict) or len(body) <= MAX_ERRORS:
            return body
        unknown = [name for name in body if name not in self._fields]
        left_out = {*unknown[MAX_ERRORS:]}
        return {name: value for name, value in body.items() if name not in left_out}

    def check(self, request: SpecRequest) -> None:
        """Store the body in the request's context as `body`, or its errors in `request.errors`.

        An optional field without a default is only in `body` if the request has it. Raises the
        errors of `json_or_text`.
        """
        errors: list[RequestError] = []
        body = json_or_text()
        if body is None:
            errors.append(missing_body())
        else:
            fields = validate(self._validator, self._shortened(body), (_BODY,), errors)
            if "value" in self._fields:
                errors += _value_errors(body)
            if not errors:
                body.update(
                    (name, each) for name, each in fields[0].items() if each is not shapes.ABSENT
                )
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
    """Return an error in the format of FastAPI; see RequestError for the arguments."""
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
    """Return a value as converted by a validator, or None if it is invalid.

    Appends the errors of an invalid value to `errors`; their `loc` starts with the argument `loc`.
    """
    try:
        return validator.validate_python(value)
    except ValidationError as error:
        errors += [
            error_detail(
                each["type"],
                (*loc, *each["loc"]),
                each["msg"],
                each["input"],
                {"error": {}} if each["type"] == "value_error" else each.get("ctx"),
            )
            for each in error.errors(include_url=False)[:MAX_ERRORS]
        ]
        return None


def json_or_text() -> Any:
    """Return the body, parsed if its media type is JSON, otherwise as text; None if it is empty.

    Raises InvalidRequest for a body that is not JSON, BadRequestProblem for one that Airflow cannot
    parse, and the errors of `json_io.read_body`.
    """
    body = json_io.read_body()
    if not body:
        return None
    if not flask_request.is_json:
        return body.decode(errors="replace")
    try:
        return json_io.json_body(duplicate_keys=True)  # the last one wins, as in Airflow
    except UnreadableJson:
        raise BadRequestProblem(detail="There was an error parsing the body") from None
    except AmbiguousJson as error:
        raise InvalidRequest([_not_json(f"it contains {error}")]) from None
    except InvalidJson as error:
        if not error.reason:  # valid JSON, but an integer has too many digits
            raise BadRequestProblem(detail="There was an error parsing the body") from None
        raise InvalidRequest([_not_json(error.reason, error.position)]) from None


def refuse_malformed_body() -> None:
    """Raise the errors of `json_or_text`: FastAPI parses bodies before it checks credentials."""
    if flask_request.method in ("PATCH", "POST"):
        json_or_text()


def _not_json(reason: str, *position: int) -> RequestError:
    return error_detail(
        "json_invalid", [_BODY, *position], "JSON decode error", {}, {"error": reason}
    )


def _value_errors(body: Any) -> list[RequestError]:
    """Return the errors of the `value` in a body that a schema cannot describe."""
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
                body, "XCom value contains a NUL character, which Airflow's databases reject."
            )
        ]
    return []


def _value_error(body: JsonObject, reason: str) -> RequestError:
    return error_detail(
        "value_error", [_BODY, "value"], f"Value error, {reason}", body["value"], {"error": {}}
    )
