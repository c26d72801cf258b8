"""Validators for the schemas of the OpenAPI documents, compiled by jsonschema-rs."""

from collections.abc import Callable, Mapping
from typing import Any

from jsonschema_rs import Draft4Validator, Draft6Validator

Formats = Mapping[str, Callable[[str], bool]]  # the names of formats and their checks


def compile_schema(schema: dict[str, Any]) -> Draft4Validator:
    """Return a validator of responses for a schema of OpenAPI 3.0 without `$ref`.

    It checks the formats of strings, such as `date-time`.
    """
    return Draft4Validator(_json_schema(schema), validate_formats=True)


def compile_request_schema(
    schema: dict[str, Any], formats: Formats
) -> Draft4Validator | Draft6Validator:
    """Return a validator of request bodies, in which `readOnly` properties are not allowed.

    It checks only these formats.  With `x-whole-floats`, a number such as 1.0 is an integer.
    """
    # Draft 6 differs in this from draft 4, and in keywords that the documents do not contain.
    validator = Draft6Validator if schema.get("x-whole-floats") else Draft4Validator
    return validator(
        _json_schema(schema, read_only=False),
        formats=dict(formats),
        validate_formats=bool(formats),
    )


def _json_schema(schema: Any, *, read_only: bool = True) -> Any:
    """Convert a schema of OpenAPI 3.0 to JSON Schema, which does not have `nullable`.

    As in OpenAPI 3.0.3, `nullable` has an effect only beside a `type`.  No value matches a schema
    with `readOnly`, unless `read_only` is true.
    """
    if isinstance(schema, list):
        return [_json_schema(each, read_only=read_only) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if schema.get("readOnly") is True and not read_only:
        return {"not": {}}
    inner = {
        name: _json_schema(each, read_only=read_only)
        for name, each in schema.items()
        if name != "nullable"
    }
    is_nullable = schema.get("nullable") is True and "type" in schema
    return {"anyOf": [{"type": "null"}, inner]} if is_nullable else inner
