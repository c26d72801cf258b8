"""What a document cannot say of a valid request, said to Schemathesis.

A body names the entry that its path names, an update's mask names the value, and a page size is
not negative.  Requests that are meant to be invalid stay as they were made.
"""

from typing import Any

import schemathesis

FIELDS = {"key", "value", "timestamp"}


@schemathesis.hook
def before_call(context: schemathesis.HookContext, case: schemathesis.Case,
                **kwargs: Any) -> None:
    """Give a valid case its meaning."""
    if case.meta is not None and case.meta.generation.mode.is_positive:
        _mean(case.query, case.path_parameters, case.body)


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
