"""The data intervals that Airflow 2 gives to triggered runs, which depend on the schedule."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from croniter import croniter

from xcom_server.api import schedules

Interval = tuple[datetime, datetime]


def of_manual_run(schedule: Any, zone: str, date: datetime) -> Interval:
    """Return the start and end of the data interval of a run with this logical date.

    `schedule` is that of a seed file: a cron expression in the time zone `zone`, a time delta, an
    object with assets, or None. For a cron expression the interval is the last complete one, in
    UTC; without a schedule, or without an interval before the date, both ends are the date.
    """
    try:
        if not schedules.is_periodic(schedule):
            return date, date
        if isinstance(schedule, str):
            return _last_complete(schedules.PRESETS.get(schedule, schedule), ZoneInfo(zone), date)
        return date - schedules.delta(schedule), date
    except (ValueError, OverflowError):  # for example near the year 1
        return date, date


def _last_complete(expression: str, zone: ZoneInfo, date: datetime) -> Interval:
    end = _previous(expression, zone, date + timedelta(microseconds=1))
    return _previous(expression, zone, end), end


def _previous(expression: str, zone: ZoneInfo, date: datetime) -> datetime:
    """Return the last time before `date` that matches, in UTC.

    A schedule such as `0 6 * * *` has the same local time on all days. Others, such as
    `*/30 * * * *`, have the same distances, also when clocks change.
    """
    local = date.astimezone(zone).replace(tzinfo=None)
    previous: datetime = croniter(expression, local).get_prev(datetime)
    if _has_fixed_times(expression):
        return previous.replace(tzinfo=zone).astimezone(UTC)
    return (date - (local - previous)).astimezone(UTC)


def _has_fixed_times(expression: str) -> bool:
    """Return whether two successive times have the same hour and minute."""
    times = croniter(expression, datetime(2024, 1, 1))
    first, second = times.get_next(datetime), times.get_next(datetime)
    return (first.hour, first.minute) == (second.hour, second.minute)
