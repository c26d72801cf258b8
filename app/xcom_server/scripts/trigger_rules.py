"""Trigger rules: what becomes of a task when the tasks before it have ended."""

from collections.abc import Set as AbstractSet

DEFAULT_RULE = "all_success"
_FAILED = frozenset({"failed", "upstream_failed"})
_DONE = frozenset({"success", "failed"})

# Rules that fail a task if one before it has failed, and rules that skip it if one was skipped.
_FAIL_ON_FAILED = ("all_success", "none_failed", "none_failed_min_one_success")
_SKIP_ON_SKIPPED = ("all_success", "none_skipped")
_SKIP_WITHOUT = {
    "none_failed_min_one_success": frozenset({"success"}),
    "one_failed": _FAILED,
    "one_done": _DONE,
    "all_done_min_one_success": frozenset({"success"}),
}
"""Rules that skip a task unless one before it has one of these states."""
_SKIP_UNLESS_ALL = {"all_failed": _FAILED, "all_skipped": frozenset({"skipped"})}
"""Rules that skip a task unless all tasks before it have one of these states."""


def resulting_state(rule: str, before: AbstractSet[str]) -> str:
    """Return the state of a task with a trigger rule, given the end states of those before it.

    It is `success` for a task that runs, `skipped` or `upstream_failed` for another.
    """
    if not before:
        return "success"
    if rule in _FAIL_ON_FAILED and not before.isdisjoint(_FAILED):
        return "upstream_failed"
    if rule == "one_success" and "success" not in before:
        return "skipped" if before == {"skipped"} else "upstream_failed"
    is_skipped = (
        (rule in _SKIP_ON_SKIPPED and "skipped" in before)
        or before.isdisjoint(_SKIP_WITHOUT.get(rule, before))
        or not before <= _SKIP_UNLESS_ALL.get(rule, before)
    )
    return "skipped" if is_skipped else "success"
