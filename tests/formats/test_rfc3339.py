"""Dates that clients have cut to fewer digits than microseconds."""

from datetime import UTC, datetime

import pytest
from xcom_server.formats.rfc3339 import is_date

DATE = datetime(2024, 1, 1, 12, 0, 0, 769567, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T12:00:00.769567Z",
        "2024-01-01T12:00:00.769567+00:00",
        "2024-01-01T17:30:00.769567+05:30",
        "2024-01-01T12:00:00.7695670Z",  # .NET
        "2024-01-01T12:00:00.769567000Z",  # Java and Go, in nanoseconds
        "2024-01-01t12:00:00.769567z",
        "2024-01-01 12:00:00.769Z",
        "2024-01-01T12:00:00.769Z",  # JavaScript
        "2024-01-01T12:00:00.770Z",  # rounded
        "2024-01-01T07:00:00.769-05:00",
        "2024-01-01T12:00:00.7Z",
        "2024-01-01T12:00:00.8Z",
        "2024-01-01T12:00:00Z",
        "2024-01-01T12:00:01Z",
    ],
)
def test_date_with_fewer_digits_is_the_same(text: str) -> None:
    assert is_date(text, DATE)


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-01T12:00:00.769566Z",
        "2024-01-01T12:00:00.769568Z",
        "2024-01-01T12:00:00.768Z",
        "2024-01-01T12:00:00.771Z",
        "2024-01-01T12:00:00.000Z",
        "2024-01-01T12:00:02Z",
        "2024-01-01T11:59:59Z",
        "2024-01-01T12:00:00.769+01:00",
    ],
)
def test_another_date_is_not_the_same(text: str) -> None:
    assert not is_date(text, DATE)


@pytest.mark.parametrize(
    ("fraction", "text", "is_same"),
    [
        (500_000, "2024-01-01T12:00:01Z", True),
        (499_999, "2024-01-01T12:00:01Z", False),
        (0, "2024-01-01T12:00:00.000Z", True),
        (0, "2024-01-01T11:59:59.999Z", False),
    ],
)
def test_half_a_unit_is_rounded_up(fraction: int, text: str, is_same: bool) -> None:
    assert is_date(text, DATE.replace(microsecond=fraction)) is is_same


def test_last_date_can_be_compared() -> None:
    assert is_date("9999-12-31T23:59:59Z", datetime.max.replace(tzinfo=UTC))
    assert is_date("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC))
