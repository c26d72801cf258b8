"""The data interval of a triggered run depends on the schedule of its DAG."""

from datetime import datetime
from typing import Any

import pytest
from xcom_server.api.v1.data_intervals import of_manual_run


def interval(schedule: Any, date: str, zone: str = "UTC") -> tuple[str, str]:
    start, end = of_manual_run(schedule, zone, datetime.fromisoformat(date))
    return start.isoformat(), end.isoformat()


@pytest.mark.parametrize(
    "schedule", [None, "@once", "@continuous", {"assets": {"all": ["a"]}}, "not cron", "0 0 31 2 *"]
)
def test_without_intervals_both_ends_are_the_date(schedule: Any) -> None:
    date = "2024-05-07T01:00:00+02:00"

    assert interval(schedule, date) == (date, date)


@pytest.mark.parametrize(
    ("schedule", "zone", "date", "start", "end"),
    [
        ("@daily", "UTC", "2024-05-08T15:30:00Z", "2024-05-07T00:00", "2024-05-08T00:00"),
        ("@daily", "UTC", "2024-01-01T00:00:00Z", "2023-12-31T00:00", "2024-01-01T00:00"),
        ("@daily", "UTC", "2024-01-01T00:00:00.000001Z", "2023-12-31T00:00", "2024-01-01T00:00"),
        ("@hourly", "UTC", "2024-05-08T15:30:00Z", "2024-05-08T14:00", "2024-05-08T15:00"),
        ("@weekly", "UTC", "2024-05-08T15:30:00Z", "2024-04-28T00:00", "2024-05-05T00:00"),
        ("@monthly", "UTC", "2024-05-08T15:30:00Z", "2024-04-01T00:00", "2024-05-01T00:00"),
        ("@quarterly", "UTC", "2024-05-08T15:30:00Z", "2024-01-01T00:00", "2024-04-01T00:00"),
        ("@yearly", "UTC", "2024-05-08T15:30:00Z", "2023-01-01T00:00", "2024-01-01T00:00"),
        ("*/20 * * * *", "UTC", "2024-05-08T15:30:00Z", "2024-05-08T15:00", "2024-05-08T15:20"),
        ("0 6 * * 1-5", "UTC", "2024-05-06T07:00:00+02:00", "2024-05-02T06:00", "2024-05-03T06:00"),
    ],
)
def test_interval_is_the_last_complete_one(
    schedule: str, zone: str, date: str, start: str, end: str
) -> None:
    assert interval(schedule, date, zone) == (f"{start}:00+00:00", f"{end}:00+00:00")


def test_fixed_time_is_a_local_time_on_both_sides_of_a_clock_change() -> None:
    found = interval("0 6 * * *", "2024-10-27T12:00:00Z", "Europe/Warsaw")

    assert found == ("2024-10-26T04:00:00+00:00", "2024-10-27T05:00:00+00:00")


def test_clock_change_does_not_change_the_distance_of_other_times() -> None:
    found = interval("*/30 * * * *", "2024-10-27T01:10:00Z", "Europe/Warsaw")

    assert found == ("2024-10-27T00:30:00+00:00", "2024-10-27T01:00:00+00:00")


def test_time_delta_ends_at_the_date() -> None:
    delta = {"days": 1, "seconds": 3600, "microseconds": 0}

    assert interval(delta, "2024-05-08T15:30:00+02:00") == (
        "2024-05-07T14:30:00+02:00",
        "2024-05-08T15:30:00+02:00",
    )


@pytest.mark.parametrize("schedule", ["@yearly", {"days": 400, "seconds": 0, "microseconds": 0}])
def test_interval_before_the_first_year_is_empty(schedule: Any) -> None:
    date = "0001-01-01T00:00:00+00:00"

    assert interval(schedule, date) == (date, date)
