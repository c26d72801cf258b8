"""The checker accepts what a run can show, and names the response that no run explains."""

from typing import cast

import pytest

from tests.faults.history import Kind, Operation, Outcome
from tests.faults.monotone import violations

STATES = ("queued", "running", "success")


def found(*lines: str) -> list[str]:
    """Return the violations of operations like `0-5 trigger ok` and `4-6 poll queued`."""
    history = []
    for line in lines:
        times, kind, seen = line.split()
        start, end = times.split("-")
        is_outcome = seen in ("ok", "fail", "unknown")
        history.append(
            Operation(
                cast(Kind, kind),
                "run",
                None if is_outcome else seen,
                int(start),
                int(end) if end else None,
                cast(Outcome, seen if is_outcome else "ok"),
            )
        )
    return violations(history, STATES)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("0-1 poll fail", "2-3 trigger ok", "4-5 poll queued", "6-7 poll running"),
        (
            "0-1 trigger ok",
            "2-3 poll queued",
            "4-5 poll running",
            "6-7 poll success",
            "8-9 poll success",
        ),
        # reads at the same time show the same state, or different ones
        ("0-1 trigger ok", "2-9 poll queued", "3-8 poll queued", "4-7 poll running"),
        ("0-1 trigger ok", "2-9 poll running", "3-8 poll queued"),
        # triggers at the same time
        ("0-9 trigger ok", "1-8 trigger fail", "2-7 poll fail", "3-6 poll queued"),
        # a trigger or a read without a response
        ("0- trigger unknown", "1-2 trigger fail", "3-4 poll queued"),
        ("0- trigger unknown", "1-2 trigger ok"),
        ("0-1 trigger ok", "2- poll unknown", "3-4 poll running"),
    ],
)
def test_history_of_a_run_passes(lines: tuple[str, ...]) -> None:
    assert found(*lines) == []


VIOLATIONS = [
    (("0-9 trigger ok", "1-8 trigger ok"), "two triggers succeeded"),
    (("0-1 trigger fail", "2-3 trigger ok"), "refused before"),
    (("0-1 trigger fail",), "refused before"),
    (("0-1 poll queued", "2-3 trigger ok"), "shown before"),
    (("0-1 poll queued",), "shown before"),
    (("0-1 trigger ok", "2-3 poll fail"), "not found after"),
    (("0-9 trigger ok", "1-2 poll queued", "3-4 poll fail"), "no later state"),
    (("0-1 trigger ok", "2-3 poll queued", "4-5 poll queued"), "no later state"),
    (
        ("0-1 trigger ok", "2-9 poll queued", "3-4 poll running", "5-6 poll queued"),
        "no later state",
    ),
    (("0-1 trigger ok", "2-3 poll queued", "4-5 poll success"), "a state before it"),
    (("0-1 trigger ok", "2-3 poll running", "4-5 poll queued"), "a state before it"),
    (("0-1 trigger ok", "2-3 poll lost"), "an unknown state"),
]
"""Histories that no run has, and the start of the violation."""


@pytest.mark.parametrize(("lines", "violation"), VIOLATIONS)
def test_other_history_is_detected(lines: tuple[str, ...], violation: str) -> None:
    assert any(each.startswith(violation) for each in found(*lines))
