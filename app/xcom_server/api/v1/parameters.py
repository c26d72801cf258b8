"""Readers of path and query parameters, with the error texts of Airflow 2.10.5.

A reader parses the strings of one parameter, which has several if it is repeated in the query.
"""

import math
import re
from collections.abc import Callable
from datetime import datetime
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server.formats.rfc3339 import parse_date_time

Reader = Callable[[list[str]], Any]  # returns the value of a parameter, or raises an error


def reader(parameter: dict[str, Any]) -> Reader:
    """Return the reader of a parameter in the OpenAPI document.

    It uses the last value of a repeated parameter, except for lists. It raises BadRequestProblem
    for an invalid value.
    """
    schema, place, name = parameter["schema"], parameter["in"], parameter["name"]
    kind = schema["type"]
    if place == "path" and kind == "integer":  # the route has converted it
        return lambda values: values[-1]
    if kind == "array":
        return _array(place, name, schema["items"], explode=parameter.get("explode", True))
    if schema.get("format") == "date-time":
        return _date_time
    readers = {"integer": _integer, "number": _number, "boolean": _boolean, "string": _string}
    return readers[kind](place, name, schema)


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
    keyword, words = (
        ("minimum", "less than the minimum")
        if number < schema.get("minimum", number)
        else ("maximum", "greater than the maximum")
    )
    bound = schema[keyword]
    return _failed(
        f"{number} is {words} of {bound}",
        keyword,
        f"'type': 'integer', {keyword!r}: {bound}",
        number,
    )


def _number(place: str, name: str, schema: dict[str, Any]) -> Reader:
    """Accept decimal numbers; `float()` would also accept `nan`, `1_0` and Arabic digits."""
    decimal = re.compile(r"-?[0-9]{1,400}(\.[0-9]{0,400})?([eE][-+]?[0-9]{1,4})?")

    def read(texts: list[str]) -> float:
        if not decimal.fullmatch(texts[-1]) or math.isinf(number := float(texts[-1])):
            raise _wrong_type("number", place, name)
        return number

    return read


def _boolean(place: str, name: str, schema: dict[str, Any]) -> Reader:
    def read(texts: list[str]) -> bool:
        if texts[-1].lower() not in ("true", "false"):
            raise _wrong_type("boolean", place, name)
        return texts[-1].lower() == "true"

    return read


def _date_time(texts: list[str]) -> datetime:
    try:
        return parse_date_time(texts[-1])
    except ValueError:
        text = texts[-1]
    raise _failed(
        f"{text!r} is not a 'date-time'",
        "format",
        "'type': 'string', 'format': 'date-time'",
        text,
    )


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


def _array(place: str, name: str, items: dict[str, Any], *, explode: bool) -> Reader:
    """Split the value at commas; with `explode`, the values of a repeated parameter are joined."""
    read_item = _string(place, name, items)

    def read(texts: list[str]) -> list[str]:
        text = ",".join(texts) if explode else texts[-1]
        return [read_item([item]) for item in text.split(",")]

    return read


def _wrong_type(expected: str, place: str, name: str) -> BadRequestProblem:
    return BadRequestProblem(
        detail=f"Wrong type, expected '{expected}' for {place} parameter '{name}'"
    )


def _failed(message: str, keyword: str, schema: str, instance: Any) -> BadRequestProblem:
    """Return an error with the text of jsonschema, as Airflow does."""
    return BadRequestProblem(
        detail=(
            f"{message}\n\nFailed validating {keyword!r} in schema:\n    {{{schema}}}"
            f"\n\nOn instance:\n    {instance!r}"
        )
    )
