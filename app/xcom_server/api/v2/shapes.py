"""Schemas of the OpenAPI document, converted to validators of pydantic-core."""

from typing import Any

from pydantic_core import CoreSchema, core_schema

from xcom_server.api.v2.body_rules import AFTER_MODEL, BEFORE_FIELD, BEFORE_MODEL
from xcom_server.api.v2.bounded_errors import bounded_list

ABSENT = object()
"""The value of an optional field that a body does not contain."""


def query_value(name: str, shape: dict[str, Any]) -> CoreSchema:
    """Return the validator of a parameter; the handler checks the names in an array, and fields."""
    if shape.get("type") == "array":
        return core_schema.list_schema(value(_without_names(shape["items"])))
    return value(_without_names(shape) if name == "order_by" else shape)


def _without_names(shape: dict[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in shape.items() if name != "enum"}


def value(shape: dict[str, Any]) -> CoreSchema:
    """Return the validator of a value.

    An enumeration with a title is an enumeration in Airflow, one without is a `Literal`: their
    errors have different types.
    """
    if shape.get("nullable"):
        return core_schema.nullable_schema(
            value({name: each for name, each in shape.items() if name != "nullable"})
        )
    match shape:
        case {"anyOf": choices}:
            return core_schema.union_schema([value(each) for each in choices])
        case {"enum": names, "title": _}:
            return _enumeration(names)
        case {"enum": names}:
            return core_schema.literal_schema(names)
        case {"type": "string"}:
            return _text(shape)
        case {"type": "integer" | "number"}:
            return _number(shape)
        case {"type": "boolean"}:
            return core_schema.bool_schema()
        case {"type": "array"}:
            return _list(shape)
        case {"type": "object"}:
            return core_schema.dict_schema(core_schema.str_schema())
    return core_schema.any_schema()


def model(shape: dict[str, Any]) -> CoreSchema:
    """Return the validator of a body; an optional field without a default may be ABSENT."""
    fields = {}
    for name, each in shape["properties"].items():
        schema = value(each)
        if rule := BEFORE_FIELD.get((shape.get("title", ""), name)):
            schema = core_schema.no_info_before_validator_function(rule, schema)
        if name not in shape.get("required", []):
            schema = core_schema.with_default_schema(schema, default=each.get("default", ABSENT))
        fields[name] = core_schema.model_field(schema)
    schema = core_schema.model_fields_schema(fields, extra_behavior="forbid", from_attributes=True)
    if rule := AFTER_MODEL.get(shape.get("title", "")):
        schema = core_schema.no_info_after_validator_function(rule, schema)
    if rule := BEFORE_MODEL.get(shape.get("title", "")):
        schema = core_schema.no_info_before_validator_function(rule, schema)
    return schema


def _enumeration(names: list[str | None]) -> CoreSchema:
    """Return the validator of an enumeration; null is in the names if the shape is nullable."""
    *others, last = [repr(name) for name in names if name is not None]
    expected = f"{', '.join(others)} or {last}" if others else last
    return core_schema.custom_error_schema(
        core_schema.literal_schema([name for name in names if name is not None]),
        custom_error_type="enum",
        custom_error_context={"expected": expected},
    )


def _text(shape: dict[str, Any]) -> CoreSchema:
    if shape.get("format") == "date-time":
        return core_schema.datetime_schema(tz_constraint="aware")
    if shape.get("format") == "date":
        return core_schema.date_schema()
    return core_schema.str_schema(
        min_length=shape.get("minLength"),
        max_length=shape.get("maxLength"),
        pattern=shape.get("pattern"),
    )


def _number(shape: dict[str, Any]) -> CoreSchema:
    minimum = shape.get("minimum")
    if shape["type"] == "integer":
        return core_schema.int_schema(ge=minimum, le=shape.get("maximum"))
    if shape.get("exclusiveMinimum"):  # NaN is not greater than it
        return core_schema.float_schema(gt=minimum)
    return core_schema.float_schema(ge=minimum, allow_inf_nan=False)


def _list(shape: dict[str, Any]) -> CoreSchema:
    if shape.get("minItems") == 2:  # a task id and a map index
        return core_schema.tuple_schema([core_schema.str_schema(), core_schema.int_schema()])
    return bounded_list(value(shape["items"]))
