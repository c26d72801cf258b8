"""Check that the states of a triggered run explain all responses about it.

A run goes through its states in one direction, and each read of it takes one step: the read shows a
state, and the run has left this state before the read ends. So for reads of one run:

* A read that begins after another has ended shows a later state, or both show the last one.
* A state is left only by a read that shows it. So before a read that shows a state ends, one that
  shows the state before it has begun. (If two reads of one state took two steps, no read would show
  the state between.)
* The run does not exist before the trigger that creates it begins, and it exists once that trigger
  has ended. Exactly one trigger of an id succeeds, and no other one is refused before it begins.

A read without a response may have shown any state.
"""

from collections.abc import Iterable, Iterator, Sequence

from tests.faults.history import Operation

ABSENT = -1
"""The place of a run that does not exist; the first state has the place 0."""


def violations(history: Iterable[Operation], states: Sequence[str]) -> list[str]:
    """Return what no run with these states explains; each state occurs once."""
    operations = sorted(history, key=lambda each: each.start)
    triggers = [each for each in operations if each.kind == "trigger"]
    polls = [each for each in operations if each.kind == "poll"]
    return [
        *_of_triggers(triggers),
        *_of_creation(triggers, polls),
        *_of_order(polls, states),
        *_of_skipped(polls, states),
        *_of_unseen(polls, states),
    ]


def _of_triggers(triggers: Sequence[Operation]) -> Iterator[str]:
    winners = [each for each in triggers if each.outcome == "ok"]
    if len(winners) > 1:
        yield f"two triggers succeeded: {winners[0]}; {winners[1]}"
    began = min((each.start for each in triggers if each.outcome != "fail"), default=None)
    for each in triggers:
        if each.outcome == "fail" and (began is None or (each.end or 0) < began):
            yield f"refused before the run was triggered: {each}"


def _of_creation(triggers: Sequence[Operation], polls: Sequence[Operation]) -> Iterator[str]:
    began = min((each.start for each in triggers if each.outcome != "fail"), default=None)
    ended = min(
        (each.end for each in triggers if each.outcome != "unknown" and each.end), default=0
    )
    for each in polls:
        if each.outcome == "ok" and (began is None or (each.end or 0) < began):
            yield f"shown before it was triggered: {each}"
        if each.outcome == "fail" and ended and each.start > ended:
            yield f"not found after it was triggered: {each}"


def _of_order(polls: Sequence[Operation], states: Sequence[str]) -> Iterator[str]:
    """Yield reads that show no later state than one that had ended before."""
    known = [each for each in polls if each.outcome in ("ok", "fail")]
    by_end = sorted(known, key=lambda each: each.end or 0)
    ended, latest = 0, None
    for each in known:
        while ended < len(by_end) and (by_end[ended].end or 0) < each.start:
            if latest is None or _place(by_end[ended], states) >= _place(latest, states):
                latest = by_end[ended]
            ended += 1
        if latest is not None and not _may_follow(each, latest, states):
            yield f"no later state: {each}; after {latest}"


def _may_follow(later: Operation, earlier: Operation, states: Sequence[str]) -> bool:
    place, before = _place(later, states), _place(earlier, states)
    return place > before or place == before in (ABSENT, len(states) - 1)


def _of_skipped(polls: Sequence[Operation], states: Sequence[str]) -> Iterator[str]:
    """Yield reads that show a state although none has shown the state before it."""
    unknown = [each.start for each in polls if each.outcome == "unknown"]
    first = {
        place: min([each.start for each in polls if _place(each, states) == place] + unknown)
        for place in {_place(each, states) for each in polls if each.outcome == "ok"}
    }
    for each in polls:
        place = _place(each, states)
        left = first.get(place - 1, min(unknown, default=None))
        if each.outcome == "ok" and place > 0 and (left is None or left > (each.end or 0)):
            yield f"a state before it was not shown: {each}"


def _of_unseen(polls: Sequence[Operation], states: Sequence[str]) -> Iterator[str]:
    """Yield that a read shows a state that a run does not have."""
    for each in polls:
        if each.outcome == "ok" and each.value not in states:
            yield f"an unknown state: {each}"


def _place(poll: Operation, states: Sequence[str]) -> int:
    return states.index(poll.value) if poll.value in states else ABSENT
