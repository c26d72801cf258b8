"""Rules for bodies that a schema cannot describe, with the messages of Airflow 3.3.2.

A rule takes a value, and returns it or raises ValueError with the message of the error.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

Rule = Callable[[Any], Any]

_NEW_STATES = ["success", "failed", "skipped"]


def _new_state(state: Any) -> Any:
    if state is None:
        raise ValueError("'new_state' should not be empty")
    if not isinstance(state, str):
        return state
    if state.lower() not in _NEW_STATES:
        raise ValueError(f"'{state.lower()}' is not one of {_NEW_STATES}")
    return state.lower()


def _new_or_failed(body: Any) -> Any:
    if isinstance(body, dict) and body.get("only_new") and body.get("only_failed"):
        raise ValueError("only_new and only_failed are mutually exclusive")
    return body


def _one_selection(body: Any) -> Any:
    """Check which task instances a body selects."""
    if not isinstance(body, dict):
        return body
    start, end, run = (body.get(name) for name in ("start_date", "end_date", "dag_run_id"))
    if body.get("only_failed") and body.get("only_running"):
        raise ValueError("only_failed and only_running both are set to True")
    if isinstance(start, str) and isinstance(end, str) and start > end:
        raise ValueError("end_date is sooner than start_date")
    if run and start and end:
        raise ValueError("Exactly one of dag_run_id or (start_date and end_date) must be provided")
    for name in ("start_date", "end_date"):
        if run and body.get(name):
            raise ValueError(f"Exactly one of dag_run_id or {name} must be provided")
    if body.get("task_ids") == []:
        raise ValueError("task_ids list should have at least 1 element.")
    return body


def _whole_interval(validated: Any) -> Any:
    fields = validated[0]
    given = [
        isinstance(fields[name], datetime) for name in ("data_interval_start", "data_interval_end")
    ]
    if any(given) and not all(given):
        raise ValueError(
            "Either both data_interval_start and data_interval_end must be provided or both must"
            " be None"
        )
    return validated


BEFORE_FIELD: Mapping[tuple[str, str], Rule] = {
    ("PatchTaskInstanceBody", "new_state"): _new_state,
}
"""The rules of fields, by the title of the body and the name of the field."""

BEFORE_MODEL: Mapping[str, Rule] = {
    "ClearTaskInstancesBody": _one_selection,
    "DAGRunClearBody": _new_or_failed,
}
"""The rules of bodies that are checked before their fields, by the title of the body."""

AFTER_MODEL: Mapping[str, Rule] = {"TriggerDAGRunPostBody": _whole_interval}
"""The rules of bodies that are checked if all their fields are valid, by the title of the body."""
