"""Params of a DAG: the values in the `conf` of a new run are validated against their schemas."""

from collections.abc import Mapping
from typing import Any

import jsonschema


def invalid_param(params: Mapping[str, Any], conf: Mapping[str, Any]) -> str | None:
    """Return the error of the first param with an invalid value, in the words of Airflow.

    `params` maps names to objects with `value`, the default, and `schema`. Formats in a schema are
    not checked, because the installed packages decide which ones jsonschema supports.
    """
    for name, param in params.items():
        try:
            jsonschema.validate(conf.get(name, param.get("value")), param.get("schema") or {})
        except jsonschema.ValidationError as error:
            return f"Invalid input for param {name}: {error}"
    return None
