"""Params of a DAG: the values in the `conf` of a new run are validated against their schemas."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import jsonschema
from jsonschema.validators import extend, validator_for


def invalid_param(params: Mapping[str, Any], conf: Mapping[str, Any]) -> str | None:
    """Return the error of the first param with an invalid value, in the words of Airflow.

    `params` maps names to objects with `value`, the default, and `schema`. Formats in a schema are
    not checked, because the installed packages decide which ones jsonschema supports.
    """
    for name, param in params.items():
        try:
            _validate(conf.get(name, param.get("value")), param.get("schema") or {})
        except (jsonschema.ValidationError, OverflowError) as error:  # an int that no float holds
            return f"Invalid input for param {name}: {error}"
    return None


def _validate(value: Any, schema: Any) -> None:
    """Raise the same ValidationError as jsonschema.validate."""
    kind: Any = validator_for(schema)
    kind.check_schema(schema)
    errors = extend(kind, {"uniqueItems": _unique_items})(schema).iter_errors(value)
    if (error := jsonschema.exceptions.best_match(errors)) is not None:
        raise error


def _unique_items(
    validator: Any, is_required: bool, items: Any, schema: Any
) -> Iterator[jsonschema.ValidationError]:
    """Yield the error of an array with equal items.

    jsonschema compares all pairs of items, which takes minutes for an array of 10,000 objects.
    """
    if is_required and validator.is_type(items, "array"):
        texts = {json.dumps(_normalized(item), sort_keys=True) for item in items}
        if len(texts) < len(items):
            yield jsonschema.ValidationError(f"{items!r} has non-unique elements")


def _normalized(value: Any) -> Any:
    """Return a value with integers in place of the floats that equal them."""
    if isinstance(value, dict):
        return {name: _normalized(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_normalized(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
