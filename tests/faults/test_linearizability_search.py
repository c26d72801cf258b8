"""The checker agrees with brute force on random histories, and visits few states."""

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
