"""Ids of parametrized cases are short, printable and never empty."""

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.support.ids import LONGEST, pytest_make_parametrize_id


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("plain", "plain"),
        ("", "x=''"),
        (" ", "x=' '"),
        ("a\0\n\u00fc", "a\\x00\\n\\xfc"),
        ("k" * 512, "'k' x 512"),
        (b"\xff", "x=b'\\xff'"),
        (None, "x=None"),
        (True, "x=True"),
        (413, "x=413"),
        ({"a": [1]}, "{'a': [1]}"),
        (frozenset("cab"), "{'a', 'b', 'c'}"),
        (datetime(2024, 1, 2, 3, tzinfo=UTC), "2024-01-02T03:00:00+00:00"),
        (ValueError("x"), "ValueError"),
        ([object()], None),
        (object(), None),
    ],
    ids=lambda each: type(each).__name__,
)
def test_id_is_readable(value: Any, expected: str | None) -> None:
    assert pytest_make_parametrize_id(value, "x") == expected


def test_id_of_a_long_value_shows_its_ends() -> None:
    text = pytest_make_parametrize_id([*range(100)], "x")

    assert text == "[0, 1, 2, 3, 4, 5, 6... 95, 96, 97, 98, 99]"
    assert len(text) < LONGEST
