"""What a document cannot say of a valid request, said to Schemathesis.

A body names the entry that its path names, an update's mask names the value, a value holds no NUL,
and a page size is not negative.  Requests that are meant to be invalid stay as they were made, but
for what Airflow 3 reads though its document does not say so (`false` as a map index, `0.5` as a
moment): something that is wrong takes its place.
"""

import json
from typing import Any

import schemathesis

FIELDS = {"key", "value", "timestamp"}


MOMENTS = {
    f"{moment}_{bound}"
    for moment in ("logical_date", "run_after")
    for bound in ("gte", "gt", "lte", "lt")
}


@schemathesis.hook
def before_call(
    context: schemathesis.HookContext, case: schemathesis.Case[Any], **kwargs: Any
) -> None:
    """Give a valid case its meaning, and an invalid one something that is wrong."""
    is_valid = case.meta is not None and case.meta.generation.mode.is_positive
    if "/api/v2/" not in case.path and is_valid:
        _mean(case.query, case.path_parameters, case.body)
    elif "/api/v2/" in case.path and isinstance(case.body, dict) and is_valid:
        _mean_v2(case.body)
    elif "/api/v2/" in case.path and not is_valid:
        _spoil(case.query, case.body)


def _mean_v2(body: dict[str, Any]) -> None:
    body.pop("map_index", None)  # a link cannot tell an update which entry its body is about
    body["value"] = json.loads(json.dumps(body.get("value")).replace("\\u0000", "0"))


def _spoil(query: Any, body: Any) -> None:
    for name in MOMENTS & set(query or ()):
        query[name] = "yesterday"
    if isinstance(body, dict) and isinstance(body.get("map_index"), bool | float | str):
        body["map_index"] = "none"


def _mean(query: Any, path: dict[str, Any], body: Any) -> None:
    if query and "limit" in query:
        query["limit"] = str(query["limit"]).lstrip("-")
    if query and "update_mask" in query:
        query["update_mask"] = ["value"]
    if isinstance(body, dict):
        for name in body.keys() - FIELDS:
            del body[name]
        body.setdefault("value", "v")
        body.setdefault("key", "k")
        if "key" in path:  # an update, which changes the value alone
            for name in body.keys() - {"value"}:
                del body[name]
