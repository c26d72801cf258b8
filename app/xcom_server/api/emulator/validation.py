"""Validation of requests to the control plane against its OpenAPI document."""

import json
import re
from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import request as flask_request

from xcom_server.api import json_io, openapi
from xcom_server.api.connexion_adapter import BodyCheck, ParameterCheck, SpecRequest
from xcom_server.api.json_schema import compile_request_schema
from xcom_server.formats.rfc3339 import is_date_time
from xcom_server.formats.strict_json import AmbiguousJson, InvalidJson

_FORM = "application/x-www-form-urlencoded"
MAX_SHOWN = 500  # characters of an error text
_FORMATS = {"date-time": is_date_time}
_CONVERSIONS: dict[str, tuple[str, Callable[[str], Any]]] = {
    "integer": ("-?[0-9]{1,9}", int),
    "number": (r"-?[0-9]{1,9}(\.[0-9]{1,6})?", float),
    "boolean": ("true|false", "true".__eq__),
}


class ParameterValidator(ParameterCheck):
    """Rejects invalid values, and query parameters that are unknown, repeated or missing."""

    checks_types_of_path = True

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._names = {each["name"] for each in self.parameters if each["in"] == "query"}

    def check(self, request: SpecRequest) -> None:
        """Store the values of all parameters, or their defaults, in the request's context."""
        query = flask_request.args.to_dict(flat=False)
        if unknown := sorted(query.keys() - self._names):
            known = ", ".join(sorted(self._names)) or "none"
            raise _bad(f"Unknown query parameter {unknown[0]!r}. Known parameters: {known}.")
        if repeated := [name for name, texts in query.items() if len(texts) > 1]:
            raise _bad(f"The query parameter {repeated[0]!r} is repeated.")
        given = request.path_params | {name: texts[0] for name, texts in query.items()}
        request.context.update(self.defaults)
        for parameter in self.parameters:
            name = parameter["name"]
            if name in given:
                request.context[name] = _converted(name, parameter["schema"], given[name])
            elif parameter.get("required"):
                raise _bad(f"The query parameter {name!r} is missing.")


class BodyValidator(BodyCheck):
    """Rejects bodies that are not JSON, or not a form, and those that do not match the schema.

    With `x-unparsed` in the schema, the handler gets the bytes of the body.
    """

    def __init__(self, schema: Any, consumes: list[str], *args: Any, **options: Any) -> None:
        super().__init__(schema, consumes, *args, **options)
        self._is_form = consumes == [_FORM]
        self._errors = compile_request_schema(self.schema, _FORMATS).iter_errors

    def check(self, request: SpecRequest) -> None:
        """Store the body in the request's context as `body`."""
        if not self._is_form and not flask_request.is_json:
            raise ProblemException(
                415, detail="The body must be JSON, with the header Content-Type: application/json."
            )
        if self.schema.get("x-unparsed"):
            request.context["body"] = json_io.read_body()
            return
        body = _form() if self._is_form else _json_body()
        for error in self._errors(body):
            raise _bad(_text(error, self.schema))
        request.context["body"] = body


CHECKS = {"parameter": ParameterValidator, "body": BodyValidator}


def without_parameters() -> frozenset[str]:
    """Return the operationIds without parameters, for which Connexion makes no check of them."""
    return frozenset(
        operation["operationId"]
        for item in openapi.read("emulator")[1]["paths"].values()
        for operation in item.values()
        if "operationId" in operation and not {*operation, *item} & {"parameters"}
    )


def refuse_parameters(operations: frozenset[str]) -> None:
    """Raise ProblemException if the request is to one of these operations and has a query."""
    operation = (flask_request.endpoint or "").rpartition(".")[2]
    if operation in operations and flask_request.args:
        raise _bad(f"Unknown query parameter {min(flask_request.args)!r}. Known parameters: none.")


def _converted(name: str, schema: dict[str, Any], text: str) -> Any:
    """Return the value of a parameter.  Raises ProblemException if it is invalid."""
    pattern, convert = _CONVERSIONS.get(schema["type"], ("(?s:.*)", str))
    if not re.fullmatch(pattern, text):
        raise _bad(f"The parameter {name!r} must be of the type {schema['type']}.")
    value = convert(text)
    for error in compile_request_schema(schema, _FORMATS).iter_errors(value):
        raise _bad(f"Invalid value of the parameter {name!r}: {_text(error, schema)}")
    return value


def _form() -> dict[str, str]:
    """Return the fields of a form.  Raises ProblemException if one is repeated."""
    if flask_request.mimetype != _FORM:
        raise ProblemException(415, detail=f"The body must be a form of the type {_FORM}.")
    fields = flask_request.form.to_dict(flat=False)
    if repeated := [name for name, texts in fields.items() if len(texts) > 1]:
        raise _bad(f"The field {repeated[0]!r} is repeated.")
    return {name: texts[0] for name, texts in fields.items()}


def _json_body() -> Any:
    if not json_io.read_body():
        raise _bad("The body is empty.")
    try:
        return json_io.json_body()
    except AmbiguousJson as error:
        raise _bad(f"The body is not valid JSON: it contains {error}.") from None
    except InvalidJson as error:
        raise _bad(f"The body is not valid JSON: {error}.") from None


def _text(error: Any, schema: dict[str, Any]) -> str:
    """Return the text of an error, with its place in the body.

    For a value that does not match a pattern or any of several schemas, it is their description. A
    nullable value is one with two schemas. For an enum it names all values, of which the text of
    the library has only two.
    """
    *path, keyword = error.schema_path
    for each in path:
        schema = schema[each]
    if keyword == "enum":
        message = f"Must be one of {json.dumps(schema['enum'])}, not {json.dumps(error.instance)}"
    else:
        described = keyword in ("anyOf", "oneOf", "pattern")
        message = schema["description"] if described else error.message
    place = ".".join(map(str, error.instance_path))
    return f"{place}: {message}"[:MAX_SHOWN] if place else message[:MAX_SHOWN]


def _bad(detail: str) -> ProblemException:
    return ProblemException(400, detail=detail)
