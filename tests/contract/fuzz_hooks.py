"""Schemathesis hooks: rules for valid requests that an OpenAPI document cannot express.

A body addresses the same entry as its path, an update mask is `value`, a value holds no NUL, and a
page size is not negative. Invalid requests are left unchanged, with one exception: input that
Airflow 3 accepts although its document does not (`false` as a map index, `0.5` as a date) is
replaced by input that is invalid.
"""

import json
from typing import Any

import schemathesis

FIELDS = {"key", "value", "timestamp"}

_NOTE = {"note": "n"}
_PAUSE = {"is_paused": True}
_STATE = {"new_state": "success"}
BODIES: dict[str, tuple[set[str], dict[str, Any]]] = {
    "/dagRuns": ({"conf", "note", "logical_date"}, {}),
    "/dagRuns/list": ({"dag_ids", "states", "page_limit", "page_offset", "start_date_gte"}, {}),
    "/dagRuns/{dag_run_id}": ({"state"}, {"state": "failed"}),
    "/clear": ({"dry_run"}, {}),
    "/setNote": ({"note"}, _NOTE),
    "/dags": ({"is_paused"}, _PAUSE),
    "/dags/{dag_id}": ({"is_paused"}, _PAUSE),
    "/taskInstances/list": ({"dag_ids", "state", "pool", "page_limit", "duration_gte"}, {}),
    "/taskInstances/{task_id}": ({"new_state", "dry_run"}, _STATE),
    "/taskInstances/{task_id}/{map_index}": ({"new_state", "dry_run"}, _STATE),
    "/clearTaskInstances": ({"dry_run", "task_ids", "only_failed", "include_upstream"}, {}),
}
"""The end of a path in v1 -> the fields that its bodies can have, and those that they need."""

NOT_IN_V2 = {
    "cursor",
    "partition_date_gte",
    "partition_date_lte",
    "partition_key",
    "dag_run_id",
    "data_interval_start",
    "data_interval_end",
    "order_by",
    "token",
}
"""Parameters and fields of v2 whose valid values no document can describe."""

BOOLEANS = {
    "dry_run",
    "include_downstream",
    "include_future",
    "include_past",
    "include_upstream",
    "is_paused",
    "only_failed",
    "only_new",
    "only_running",
    "prevent_running_task",
    "reset_dag_runs",
    "run_on_latest_version",
}
"""Fields of v2 in which `1` and `"yes"` are valid too, as in Airflow."""

NUMBERS = {
    "map_index",
    "page_limit",
    "page_offset",
    *(f"duration_{bound}" for bound in ("gte", "gt", "lte", "lt")),
}
"""Fields of v2 in which `false` and `"0"` are valid too, as in Airflow."""

DATE_FILTERS = {
    f"{field}_{bound}"
    for field in (
        "logical_date",
        "run_after",
        "start_date",
        "end_date",
        "updated_at",
        "dag_run_start_date",
        "dag_run_end_date",
    )
    for bound in ("gte", "gt", "lte", "lt")
}


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], **kwargs: Any
) -> None:
    """Make a positive case valid and a negative case invalid for Airflow too."""
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    _keep_dags_unpaused(case.body)
    if "/api/v2/" not in case.path and "xcomEntries" not in case.path and is_valid:
        _make_valid_list(case.path, case.query)
        _make_valid_body(case)
    elif "/api/v2/" not in case.path and is_valid:
        _make_valid_v1(case.query, case.path_parameters, case.body)
    elif "/api/v2/" in case.path and "xcomEntries" not in case.path and is_valid:
        _make_valid_v2_resource(case)
    elif "/api/v2/" in case.path and isinstance(case.body, dict) and is_valid:
        _make_valid_v2(case.body)
    elif "/api/v2/" in case.path and not is_valid:
        _make_invalid_v2(case.query, case.body)
    if not is_valid:
        _shorten_lists(case.query)


def _keep_dags_unpaused(body: Any) -> None:
    """Pause no DAG: a request that waits for a run of a paused DAG would never end."""
    if isinstance(body, dict) and body.get("is_paused") is not None and _is_true(body["is_paused"]):
        body["is_paused"] = False


def _is_true(value: Any) -> bool:
    """Return whether v2 takes a value as true."""
    return value == 1 or str(value).lower() in ("1", "t", "true", "y", "yes", "on")


def _make_valid_v2(body: dict[str, Any]) -> None:
    body.pop(
        "map_index", None
    )  # a link cannot pass the map index of the created entry to an update
    body["value"] = json.loads(json.dumps(body.get("value")).replace("\\u0000", "0"))


def _make_valid_v2_resource(case: schemathesis.Case[Any]) -> None:
    """Remove what only some requests may have: cursors, partitions, ids and data intervals.

    Schemathesis uses the ids of earlier requests, but a batch list accepts only `~`.
    """
    if case.path.endswith("/list"):
        case.path_parameters = dict.fromkeys(case.path_parameters, "~")
    if case.path.endswith("/wait"):
        case.query["interval"] = 0.01  # Schemathesis waits for 10 seconds
    for name in NOT_IN_V2 & set(case.query or ()):
        del case.query[name]
    if isinstance(case.body, dict):
        for name in NOT_IN_V2 & set(case.body):
            del case.body[name]
        if case.body.get("only_new"):
            case.body["only_failed"] = False
        if "new_state" in case.body:
            case.body["new_state"] = "success"
        if case.path.endswith("/clearTaskInstances"):
            _make_valid_clear(case.body)


def _make_valid_clear(body: dict[str, Any]) -> None:
    """Remove dates, whose order matters, and lists of tasks, which are not empty."""
    for name in ("start_date", "end_date", "task_ids"):
        body.pop(name, None)
    if body.get("only_running"):
        body["only_failed"] = False


def _make_invalid_v2(query: Any, body: Any) -> None:
    for name in DATE_FILTERS & set(query or ()):
        query[name] = "yesterday"
    if not isinstance(body, dict):
        return
    for name in NUMBERS & set(body):
        if isinstance(body[name], bool | float | str):
            body[name] = "none"
    for name in (DATE_FILTERS | {"start_date", "end_date"}) & set(body):
        if isinstance(body[name], int | float):
            body[name] = "yesterday"
    for name in BOOLEANS & set(body):
        if not isinstance(body[name], bool):
            body[name] = "none"


def _shorten_lists(query: Any) -> None:
    """Keep the last three values of each parameter, because a longer URL is a 414.

    If a parameter that is not an array is repeated, the last value is used.
    """
    for name, value in (query or {}).items():
        if isinstance(value, list):
            query[name] = value[-3:]


ORDERS = {"/tasks": "task_id", "/listMapped": "-map_index"}
"""The end of a path in v1 -> a field by which its list can be ordered; for others it is dag_id."""


def _make_valid_list(path: str, query: Any) -> None:
    """Replace the fields of a list of v1 by some that the list has, and remove tokens."""
    if query and "limit" in query:
        query["limit"] = str(query["limit"]).lstrip("-")
    if query and "order_by" in query:
        query["order_by"] = ORDERS.get(path[path.rindex("/") :], "dag_id")
    if query and "fields" in query:
        query["fields"] = ["dag_id"]
    if query and "update_mask" in query:
        query["update_mask"] = ["is_paused"]
    if query:
        query.pop("token", None)


def _make_valid_body(case: schemathesis.Case[Any]) -> None:
    """Make a body of v1 valid, and a note at most 1000 characters long."""
    known = next((rule for end, rule in BODIES.items() if case.path.endswith(end)), None)
    if known is None or not isinstance(case.body, dict):
        return
    body: dict[str, Any] = case.body
    fields, needed = known
    for name in body.keys() - fields:
        del body[name]
    if body.get("logical_date", "") is None:
        del body["logical_date"]
    body |= needed | body
    if isinstance(body.get("note"), str):
        body["note"] = body["note"][:1000]


def _make_valid_v1(query: Any, path: dict[str, Any], body: Any) -> None:
    if query and "limit" in query:
        query["limit"] = str(query["limit"]).lstrip("-")
    if query and "update_mask" in query:
        query["update_mask"] = ["value"]
    if isinstance(body, dict):
        for name in body.keys() - FIELDS:
            del body[name]
        body.setdefault("value", "v")
        body.setdefault("key", "k")
        if "key" in path:  # an update, which changes only the value
            for name in body.keys() - {"value"}:
                del body[name]
