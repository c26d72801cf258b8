"""Schedules of DAGs: what Airflow says about them.

A schedule is that of a seed file: a cron expression or a preset such as `@daily`, an object with
days, seconds and microseconds, an object with assets, or None.
"""

import re
from datetime import timedelta
from typing import Any

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""The presets that stand for a cron expression."""

WITHOUT_INTERVALS = {
    "@once": "Once, as soon as possible",
    "@continuous": "As frequently as possible, but only one run at a time.",
}
"""The presets that do not, with their descriptions."""

_DESCRIPTIONS = {
    "0 * * * *": "Every hour",
    "0 0 * * 0": "At 00:00, only on Sunday",
    "0 0 1 * *": "At 00:00, on day 1 of the month",
    "0 0 1 */3 *": "At 00:00, on day 1 of the month, every 3 months",
    "0 0 1 1 *": "At 00:00, on day 1 of the month, only in January",
    **WITHOUT_INTERVALS,
}
_ONCE_A_DAY = re.compile(r"(?P<minute>\d\d?) (?P<hour>\d\d?) \* \* \*")


def is_periodic(schedule: Any) -> bool:
    """Return whether a schedule is a cron expression or a duration."""
    if isinstance(schedule, str):
        return schedule not in WITHOUT_INTERVALS
    return schedule is not None and not has_assets(schedule)


def has_assets(schedule: Any) -> bool:
    """Return whether assets trigger the runs."""
    return isinstance(schedule, dict) and "assets" in schedule


def summary(schedule: Any) -> str | None:
    """Return the schedule in a few characters: `0 0 * * *`, `6:00:00` or `Asset`."""
    if schedule is None or has_assets(schedule):
        return None if schedule is None else "Asset"
    return PRESETS.get(schedule, schedule) if isinstance(schedule, str) else str(delta(schedule))


def description(schedule: Any, *, assets: str) -> str:
    """Return the schedule in words; `assets` is what the version of Airflow calls an asset.

    Of the cron expressions, only presets and those with one time a day have a description.
    """
    if schedule is None:
        return "Never, external triggers only"
    if has_assets(schedule):
        return f"Triggered by {assets}"
    text = summary(schedule) or ""
    if daily := _ONCE_A_DAY.fullmatch(text):
        return f"At {int(daily['hour']):02}:{int(daily['minute']):02}"
    return _DESCRIPTIONS.get(text, "")


def delta(parts: dict[str, int]) -> timedelta:
    """Return a duration that a seed file gives as days, seconds and microseconds."""
    return timedelta(**parts)
