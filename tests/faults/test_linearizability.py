"""The checker accepts linearizable histories, and names the response that violates it."""

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import permutations, product
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.faults import linearizability
from tests.faults.history import Kind, Operation, Outcome
from tests.faults.linearizability import State, violation


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


def simulated(seed: int, *, clients: int, count: int, lost_responses: float) -> list[Operation]:
    """Return a history of a correct entry, with some lost responses.

    Each operation takes effect at one time between its start and end; if its response is lost, at
    any time after the start, or never.
    """
    source = random.Random(seed)
    begun = []
    free = [0] * clients
    for number in range(count):
        client = source.randrange(clients)
        start = free[client]
        end = start + source.randint(2, 30)
        lost = source.random() < lost_responses
        effect = source.uniform(start, end + lost * source.choice([0, 0, 50, 500]))
        free[client] = end + source.randint(1, 9)
        kind = source.choice(["get", "get", "get", "create", "patch", "delete"])
        begun.append((effect, start, end, kind, f"v{number}", client, lost))
    state: State = None
    found = []
    seen: list[tuple[int, int, State]] = []
    for _, start, end, kind, value, client, lost in sorted(begun):
        if lost and (kind == "get" or source.random() < 0.3):
            if kind != "get":
                shown = None if kind == "delete" else value
                found.append(
                    Operation(
                        cast(Kind, kind),
                        "k",
                        shown,
                        start,
                        None,
                        "unknown",
                        client,
                    )
                )
            continue
        outcome = "ok" if (state is None) == (kind == "create") else "fail"
        known = max(
            (
                (when, value)
                for when, who, value in seen
                if who == client and value and when < start
            ),
            default=(0, None),
        )[1]
        expected = known if kind == "patch" and source.random() < 0.5 else None
        if outcome == "ok" and expected not in (None, state):
            outcome = "mismatch"
        shown = state if kind == "get" else None if kind == "delete" else value
        if outcome == "ok" and kind != "get":
            state = None if kind == "delete" else value
        if outcome == "ok" and not lost:
            seen.append((end, client, state))
        found.append(
            Operation(
                cast(Kind, kind),
                "k",
                shown,
                start,
                None if lost else end,
                "unknown" if lost else cast(Outcome, outcome),
                client,
                expected,
            )
        )
    return sorted(found, key=lambda each: each.start)


def is_linearizable_by_brute_force(operations: list[Operation]) -> bool:
    """Return whether any order explains a short history; tries each subset in each order."""
    known = [each for each in operations if each.outcome != "unknown"]
    unknown = [each for each in operations if each.outcome == "unknown"]
    for chosen in product([False, True], repeat=len(unknown)):
        taken = known + [each for each, there in zip(unknown, chosen, strict=True) if there]
        if any(
            respects_the_clock(order) and is_valid_order(order) for order in permutations(taken)
        ):
            return True
    return False


def respects_the_clock(order: tuple[Operation, ...]) -> bool:
    return not any(
        later.end is not None and later.end < earlier.start
        for place, earlier in enumerate(order)
        for later in order[place + 1 :]
    )


def is_valid_order(order: tuple[Operation, ...]) -> bool:
    state: State = None
    for each in order:
        ok = (state is None) == (each.kind == "create")
        if each.outcome == "mismatch":
            if not ok:
                return False
            continue
        if each.outcome != "unknown" and ok != (each.outcome == "ok"):
            return False
        if each.kind == "get":
            if ok and state != each.value:
                return False
        elif ok and each.expected not in (None, state):
            if each.outcome == "ok":
                return False
        elif ok:
            state = None if each.kind == "delete" else each.value
    return True


def mutated(operations: list[Operation], source: random.Random) -> list[Operation]:
    """Return the operations with one response changed, which may still be linearizable."""
    known = [place for place, each in enumerate(operations) if each.outcome != "unknown"]
    if not known:
        return operations
    place = source.choice(known)
    one = operations[place]
    written = [each.value for each in operations if each.kind in ("create", "patch")]
    if one.kind == "get" and written:
        changed = replace(one, outcome="ok", value=source.choice(written))
    else:
        changed = replace(one, outcome="fail" if one.outcome == "ok" else "ok")
        if one.kind == "get":
            changed = one
    return [*operations[:place], changed, *operations[place + 1 :]]


@settings(max_examples=500)
@given(st.integers(0, 2**32), st.booleans())
def test_search_agrees_with_brute_force(seed: int, change: bool) -> None:
    observed = simulated(seed, clients=3, count=7, lost_responses=0.4)
    if change:
        observed = mutated(observed, random.Random(seed))

    assert (violation(observed) is None) == is_linearizable_by_brute_force(observed)


@settings(max_examples=50)
@given(st.integers(0, 2**32))
def test_correct_history_with_lost_responses_passes(seed: int) -> None:
    assert violation(simulated(seed, clients=8, count=300, lost_responses=0.15)) is None


def mutations(number: int) -> Iterator[bool]:
    """Yield whether a change of one response to an older value was detected."""
    source = random.Random(1)
    for seed in range(number):
        observed = simulated(seed, clients=4, count=100, lost_responses=0.05)
        reads = [
            place
            for place, each in enumerate(observed)
            if each.kind == "get" and each.outcome == "ok" and place > 20
        ]
        values = [each.value for each in observed[:10] if each.kind in ("create", "patch")]
        if reads and values:
            place = source.choice(reads)
            observed[place] = replace(observed[place], value=source.choice(values))
            yield violation(observed) is not None


def test_most_stale_reads_are_detected() -> None:
    caught = list(mutations(200))

    assert len(caught) > 150
    assert sum(caught) >= 0.9 * len(caught)


def test_long_history_with_lost_responses_visits_few_states(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Otherwise the search would take hours instead of 2 s."""
    observed = simulated(7, clients=8, count=5_000, lost_responses=0.03)
    monkeypatch.setattr(linearizability, "MAX_STATES", 1_000)

    assert violation(observed) is None
    assert sum(each.outcome == "unknown" for each in observed) > 50
