"""Validation of a run's `conf` against the params of its DAG."""

from collections.abc import Mapping
from typing import Any

from jsonschema import FormatChecker, validate
from jsonschema.exceptions import ValidationError


def error(params: Mapping[str, Mapping[str, Any]], conf: Mapping[str, Any]) -> str | None:
    """Return the text of Airflow's error for the first invalid param, None if all are valid.

    `params` are those of a seed file, with `value` and `schema`. `conf` replaces the values; its
    other keys are not checked.
    """
    for name, param in params.items():
        value = conf.get(name, param.get("value"))
        try:
            validate(value, param.get("schema") or {}, format_checker=FormatChecker())
        except ValidationError as invalid:
            return f"Invalid input for param {name}: {invalid}"
    return None
