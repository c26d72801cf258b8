"""Validators for the schemas of the OpenAPI documents, compiled by jsonschema-rs."""

from typing import Any

from jsonschema_rs import Draft4Validator


def compile_schema(schema: dict[str, Any], *, formats: bool) -> Draft4Validator:
    """Return a validator for a schema of OpenAPI 3.0 without `$ref`.

    It checks `format` keywords only if `formats` is true.
    """
    return Draft4Validator(_without_nullable(schema), validate_formats=formats)


def _without_nullable(schema: Any) -> Any:
    """Convert a schema of OpenAPI 3.0 to JSON Schema, which does not have `nullable`."""
    if isinstance(schema, list):
        return [_without_nullable(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: _without_nullable(each) for name, each in schema.items() if name != "nullable"}
    return {"anyOf": [{"type": "null"}, inner]} if schema.get("nullable") is True else inner
