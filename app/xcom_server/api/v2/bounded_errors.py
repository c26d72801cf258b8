"""Validation of long lists with a maximum of errors.

pydantic-core collects an error for each invalid item, which takes 1 KB. A body of 1 MiB can have
500,000 of them, but a response lists only the first MAX_ERRORS.
"""

from typing import Any

from pydantic_core import CoreSchema, InitErrorDetails, ValidationError, core_schema

MAX_ERRORS = 100  # in one response
_CHUNK = 1000  # items that are validated at once


def bounded_list(items: CoreSchema) -> CoreSchema:
    """Return the validator of a list, which stops after MAX_ERRORS errors."""
    return core_schema.no_info_wrap_validator_function(_validate, core_schema.list_schema(items))


def _validate(value: Any, validate: core_schema.ValidatorFunctionWrapHandler) -> Any:
    """Validate a long list in chunks, with the errors of `validate` for the whole list."""
    if not isinstance(value, list) or len(value) <= _CHUNK:
        return validate(value)
    valid: list[Any] = []
    errors: list[InitErrorDetails] = []
    for start in range(0, len(value), _CHUNK):
        try:
            valid += validate(value[start : start + _CHUNK])
        except ValidationError as error:
            errors += [_at(start, each) for each in error.errors(include_url=False)]
        if len(errors) >= MAX_ERRORS:
            break
    if errors:
        raise ValidationError.from_exception_data("list", errors[:MAX_ERRORS])
    return valid


def _at(start: int, error: Any) -> InitErrorDetails:
    """Return an error of a chunk as one of the list, in which the chunk starts at an index."""
    index, *rest = error["loc"]
    moved = InitErrorDetails(type=error["type"], loc=(start + index, *rest), input=error["input"])
    if "ctx" in error:
        moved["ctx"] = error["ctx"]
    return moved
