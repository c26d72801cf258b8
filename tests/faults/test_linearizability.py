"""The checker accepts linearizable histories, and names the response that violates it."""

from typing import cast

import pytest

from tests.faults.history import Kind, Operation, Outcome
from tests.faults.linearizability import violation


def history(*lines: str) -> list[Operation]:
    """Return operations from lines like `0-5 create a ok` and `4- patch a>b unknown`."""
    found = []
    for line in lines:
        times, kind, value, outcome = line.split()
        start, end = times.split("-")
        expected, _, written = value.rpartition(">")
        found.append(
            Operation(
                cast(Kind, kind),
                "k",
                None if value == "-" else written,
                int(start),
                int(end) if end else None,
                cast(Outcome, outcome),
                expected=expected or None,
            )
        )
    return found


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (
            "0-1 create a ok",
            "2-3 get a ok",
            "4-5 patch b ok",
            "6-7 get b ok",
            "8-9 delete - ok",
            "10-11 get - fail",
        ),
        # overlapping operations may take effect in either order
        ("0-9 create a ok", "1-2 get - fail", "3-4 get a ok"),
        ("0-1 create a ok", "2-9 patch b ok", "2-9 patch c ok", "10-11 get b ok"),
        ("0-9 create a ok", "0-9 create b fail", "10-11 get a ok"),
        ("0-1 create a ok", "2-9 delete - ok", "2-9 patch b ok"),
        # a conditional patch finds the expected value, or another one
        ("0-1 create a ok", "2-3 patch a>b ok", "4-5 patch a>c mismatch", "6-7 get b ok"),
        ("0-1 create a ok", "2-9 patch a>b ok", "2-9 patch a>c mismatch", "10-11 get b ok"),
        ("0-1 create a ok", "2- patch a>b unknown", "3-4 patch a>c ok", "5-6 get c ok"),
        ("0-1 create a ok", "2- patch a>b unknown", "3-4 patch a>c mismatch", "5-6 get a ok"),
        ("0-1 create a ok", "2-3 delete - ok", "4-5 patch a>b fail"),
        # a write without a response took effect at once, much later, or never
        ("0- create a unknown", "1-2 get a ok"),
        ("0- create a unknown", "1-2 get - fail", "5-6 get - fail", "7-8 get a ok"),
        ("0- create a unknown", "1-2 get - fail"),
        ("0-1 create a ok", "2- patch b unknown", "3-4 get a ok", "5-6 get b ok"),
        ("0-1 create a ok", "2- delete - unknown", "3-4 get a ok", "5-6 get - fail"),
        (
            "0-1 create a ok",
            "2- delete - unknown",
            "3-4 get a ok",
            "5-6 create b ok",
            "7-8 get b ok",
        ),
        ("0- create a unknown", "1-2 create b fail", "3-4 delete - ok"),
        ("0-1 create a ok", "2- delete - unknown", "3- create b unknown", "4-5 get b ok"),
        ("0-1 create a ok", "2- delete - unknown", "3- create b unknown", "4-5 patch c ok"),
        # the entry disappears and returns once for each write without a response
        (
            "0- create a unknown",
            "0- create b unknown",
            "0- delete - unknown",
            "1-2 get - fail",
            "3-4 create c fail",
            "5-6 get - fail",
            "7-8 create d fail",
        ),
    ],
)
def test_linearizable_history_passes(lines: tuple[str, ...]) -> None:
    assert violation(history(*lines)) is None


VIOLATIONS = [
    (("0-1 create a ok", "2-3 patch b ok", "4-5 get a ok"), "a lost update"),
    (("0-1 create a ok", "2-3 patch b ok", "4-5 get b ok", "6-7 get a ok"), "a stale read"),
    (("0-1 create a ok", "2-3 create b ok"), "two accepted creates"),
    (("0-9 create a ok", "0-9 create b ok"), "two accepted creates at once"),
    (("0-1 create a ok", "2-3 delete - ok", "4-5 get a ok"), "a deleted entry that came back"),
    (("0-1 create a ok", "2-3 delete - ok", "4-5 create b fail"), "a deleted entry in the way"),
    (
        ("0-1 create a ok", "2-9 patch b ok", "3-4 get b ok", "5-6 get a ok"),
        "reads that jump back",
    ),
    (("0-1 create a ok", "2-3 get - fail"), "a lost create"),
    (("0-1 create a ok", "2-3 patch b fail"), "a patch that misses the entry"),
    (("0-1 create a ok", "2-9 patch a>b ok", "2-9 patch a>c ok"), "a lost conditional update"),
    (
        ("0-1 create a ok", "2-3 patch b ok", "4-5 patch a>c ok"),
        "a condition that was not held",
    ),
    (
        ("0-1 create a ok", "2-3 delete - ok", "4-5 patch a>b mismatch"),
        "a mismatch with nothing",
    ),
    (
        ("0-1 create a ok", "2- patch a>b unknown", "3-4 get b ok", "5-6 patch a>c ok"),
        "a condition that an unknown patch broke",
    ),
    (("0-1 create a fail",), "a create refused for nothing"),
    (("0-1 get a ok", "2-3 create a ok"), "a value read before it was written"),
    (
        ("0-1 create a ok", "2-3 create b fail", "4-5 get b ok"),
        "a refused create that took effect",
    ),
    (("0-1 delete - ok",), "a delete of nothing"),
    (("0-1 create a ok", "2-9 delete - ok", "2-9 delete - ok"), "an entry deleted twice"),
    (
        ("0-1 create a ok", "2- patch b unknown", "3-4 get b ok", "5-6 get a ok"),
        "an unknown patch undone",
    ),
    (
        ("0- create a unknown", "1-2 create b fail", "3-4 delete - ok", "5-6 delete - ok"),
        "an unknown create that took effect twice",
    ),
    (
        (
            "0-1 create a ok",
            "2- delete - unknown",
            "3-4 get - fail",
            "5-6 create b ok",
            "7-8 get - fail",
        ),
        "an unknown delete that took effect twice",
    ),
    (("0-1 get - fail", "2-3 create a fail", "4- create b unknown"), "a write before it began"),
]
"""Histories that are not linearizable, and the anomaly of each."""


@pytest.mark.parametrize(
    "lines", [lines for lines, _ in VIOLATIONS], ids=[anomaly for _, anomaly in VIOLATIONS]
)
def test_non_linearizable_history_is_detected(lines: tuple[str, ...]) -> None:
    assert violation(history(*lines)) is not None


def test_violation_names_the_unexplained_operation() -> None:
    found = violation(history("0-1 create a ok", "2-4 patch b ok", "3-5 get b ok", "6-7 get a ok"))

    assert found is not None
    assert [found.operation.kind, found.states] == ["patch", ["a"]]
    assert [each.value for each in found.overlapping + found.read_later] == ["b", "a"]
    assert str(found).startswith("no order explains ")
