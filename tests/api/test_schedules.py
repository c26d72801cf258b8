"""What Airflow says about the schedules of DAGs."""

from typing import Any

import pytest
from xcom_server.api import schedules

SIX_HOURS = {"days": 0, "seconds": 6 * 3600, "microseconds": 0}


@pytest.mark.parametrize(
    ("schedule", "summary", "description", "is_periodic"),
    [
        (None, None, "Never, external triggers only", False),
        ("@daily", "0 0 * * *", "At 00:00", True),
        ("@weekly", "0 0 * * 0", "At 00:00, only on Sunday", True),
        ("5 6 * * *", "5 6 * * *", "At 06:05", True),
        ("0 6 * * 1-5", "0 6 * * 1-5", "", True),
        ("@once", "@once", "Once, as soon as possible", False),
        (SIX_HOURS, "6:00:00", "", True),
        ({"days": 1, "seconds": 0, "microseconds": 0}, "1 day, 0:00:00", "", True),
        ({"assets": {"all": []}}, "Asset", "Triggered by assets", False),
    ],
)
def test_a_schedule_has_a_summary_and_a_description(
    schedule: Any, summary: str | None, description: str, is_periodic: bool
) -> None:
    assert schedules.summary(schedule) == summary
    assert schedules.description(schedule, assets="assets") == description
    assert schedules.is_periodic(schedule) == is_periodic


def test_airflow_2_calls_an_asset_a_dataset() -> None:
    assert schedules.description({"assets": {}}, assets="datasets") == "Triggered by datasets"
