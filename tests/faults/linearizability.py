"""Check whether some order of the operations on one entry explains all responses.

The order must respect the clock: an operation that ended before another began comes first. This is
the search of Wing and Gong with Lowe's two additions: (which operations have been ordered, state)
is visited once, and an operation is ordered only when its response, or that of another one,
requires it. So the search visits the history once, event by event, with all the possible states of
the entry. If no operation is in flight there are only one or two, and nothing before that point is
visited again.

A write whose outcome is unknown may be ordered at any point after it began, or never. Hundreds of
those would each double the search. They do not, for every value is written once:

* If its value was read, it did take effect, before the first response that shows the value. It is
  then an operation that ended with that response. (A response shows a value that it returns,
  or that a conditional patch replaced.)
* A patch whose value was never read is left out. In an order with it, nothing that shows a value
  stands between it and the next change of the value (it would show this one), and everything else
  there asks whether the entry is present, which a patch does not change. So the order without it
  holds too, and an order without it is allowed anyway. (That a conditional patch met another value
  is therefore taken for no more than that the entry is present.)
* A create whose value was never read, and a delete, only make the entry present or absent, and one
  is as good as another: they are counted. In an order that holds one, whatever comes next (every
  known response says whether the entry was present) either needs it there, or another unknown one
  undoes it and both can be left out. So one is used exactly where the next operation is
  impossible without it, and a way that used fewer is as good as any that used more.

Unread creates minus deletes follow from what has been ordered and the state, so that the number of
creates alone tells which of two ways used fewer.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from tests.faults.history import Operation

UNREAD = "<a value that was never read>"
MAX_STATES = 200_000
MAX_REPORTED = 30

State = str | None
"""The value of an entry; None if the entry does not exist."""

Ordered = frozenset[int]
"""The operations in flight that have been ordered."""

Ways = dict[tuple[Ordered, State], int]
"""Each way that explains the history so far -> the number of unread creates it used."""


class TooManyStates(RuntimeError):
    """The history allows more states than the search can visit."""


@dataclass(frozen=True)
class Violation:
    """The response that no order explains, and the possible values of the entry before it.

    The reason can also be that one of these values is read later.
    """

    operation: Operation
    states: list[State]
    overlapping: list[Operation]
    read_later: list[Operation]

    def __str__(self) -> str:
        lines = [
            f"no order explains {self.operation}",
            f"  before it: {', '.join(map(str, self.states))}",
            *(f"  meanwhile: {each}" for each in self.overlapping),
            *(f"  later: {each}" for each in self.read_later),
        ]
        return "\n".join(lines)


def violation(history: Iterable[Operation]) -> Violation | None:
    """Return the first response about one entry that no order explains, or None.

    The entry does not exist at first.

    Raises TooManyStates.
    """
    operations = list(history)
    _refuse_values_written_twice(operations)
    return _Search(operations).violation()


def _refuse_values_written_twice(operations: list[Operation]) -> None:
    written = Counter(each.value for each in operations if each.kind in ("create", "patch"))
    assert max(written.values(), default=0) <= 1, "each value may be written only once"


def _settled(operations: list[Operation]) -> list[Operation]:
    """Return the operations, with the outcomes of unknown ones that later reads reveal."""
    first: dict[str | None, int] = {}
    for each in operations:
        if each.shown is not None and each.end is not None:
            first[each.shown] = min(each.end, first.get(each.shown, each.end))
    found = []
    for each in operations:
        if each.outcome != "unknown" or each.kind == "delete":
            found.append(each)
        elif each.value in first:
            found.append(replace(each, outcome="ok", end=first[each.value]))
        elif each.kind == "create":
            found.append(each)
    return found


class _Search:
    def __init__(self, operations: list[Operation]) -> None:
        self._operations = _settled(operations)
        self._in_flight: set[int] = set()
        self._unknown = Counter[str]()  # unread creates and deletes that have begun
        self._balance = 0  # creates minus deletes among what ended, all of them known
        # Each value is written once, so it must stay until the last response that shows it.
        self._to_read = Counter(each.shown for each in self._operations)

    def violation(self) -> Violation | None:
        ways: Ways = {(frozenset(), None): 0}
        for begins, number in self._events():
            operation = self._operations[number]
            if operation.outcome == "unknown":
                self._unknown[operation.kind] += 1
            elif begins:
                self._in_flight.add(number)
            else:
                explained = self._after(number, ways)
                if not explained:
                    return self._report(number, ways)
                ways = explained
        return None

    def _events(self) -> Iterator[tuple[bool, int]]:
        """Yield the starts and ends in the order of time; at equal times, starts come first."""
        events = []
        for number, each in enumerate(self._operations):
            events.append((each.start, False, number))
            if each.end is not None and each.outcome != "unknown":
                events.append((max(each.start, each.end), True, number))
        return ((not ends, number) for _, ends, number in sorted(events))

    def _after(self, number: int, ways: Ways) -> Ways:
        """Return the ways in which the operation that now ends has been ordered."""
        explained: Ways = {}
        seen = dict(ways)
        open_ways = list(ways.items())
        while open_ways:
            (ordered, state), creates = open_ways.pop()
            if number in ordered:
                _keep(explained, (ordered - {number}, state), creates)
                continue
            for following in self._in_flight - ordered:
                step = self._step(ordered, state, creates, following)
                if step is not None:
                    way = (ordered | {following}, step[0])
                    if _keep(seen, way, step[1]):
                        open_ways.append((way, step[1]))
            if len(seen) > MAX_STATES:
                raise TooManyStates(f"more than {MAX_STATES} states at {self._operations[number]}")
        self._end(number)
        return explained

    def _step(
        self, ordered: Ordered, state: State, creates: int, number: int
    ) -> tuple[State, int] | None:
        """Return the state after an operation and the unread creates used, None if impossible."""
        operation = self._operations[number]
        if needs_presence(operation) != (state is not None):
            if operation.shown is not None:
                return None  # the operation shows another value than the unread one
            if state is None:
                if creates == self._unknown["create"]:
                    return None
                state, creates = UNREAD, creates + 1
            else:
                if self._deletes(ordered, state, creates) == self._unknown[
                    "delete"
                ] or self._is_to_read(ordered, state):
                    return None
                state = None
        if operation.shown not in (None, state):
            return None
        if operation.kind == "get" or operation.outcome != "ok":
            return state, creates
        if state is not None and self._is_to_read(ordered | {number}, state):
            return None
        return (None if operation.kind == "delete" else operation.value), creates

    def _deletes(self, ordered: Ordered, state: State, creates: int) -> int:
        known = sum(balance(self._operations[each]) for each in ordered)
        return self._balance + known + creates - (state is not None)

    def _is_to_read(self, ordered: Ordered, value: str) -> bool:
        """Return whether a response that shows the value has not been ordered yet."""
        read = sum(self._operations[each].shown == value for each in ordered)
        return self._to_read[value] > read

    def _end(self, number: int) -> None:
        operation = self._operations[number]
        self._in_flight.remove(number)
        self._balance += balance(operation)
        self._to_read[operation.shown] -= 1

    def _report(self, number: int, ways: Ways) -> Violation:
        operation = self._operations[number]
        assert operation.end is not None
        states = sorted({state for _, state in ways}, key=str)
        others = sorted(
            (each for each in self._operations if each is not operation),
            key=lambda each: each.start,
        )
        overlapping = [
            each
            for each in others
            if each.start <= operation.end and (each.end is None or each.end >= operation.start)
        ]
        later = [
            each
            for each in others
            if each.start > operation.end and each.shown is not None and each.shown in states
        ]
        return Violation(operation, states, overlapping[-MAX_REPORTED:], later[:MAX_REPORTED])


def _keep(ways: Ways, way: tuple[Ordered, State], creates: int) -> bool:
    """Add a way unless it exists with no more creates; return whether it was added."""
    if ways.get(way, creates + 1) <= creates:
        return False
    ways[way] = creates
    return True


def needs_presence(operation: Operation) -> bool:
    """Return whether this outcome needs an existing entry; otherwise it needs a missing one."""
    return operation.outcome == "mismatch" or (operation.outcome == "ok") != (
        operation.kind == "create"
    )


def balance(operation: Operation) -> int:
    """Return 1 for an operation that creates the entry, -1 for a deletion, otherwise 0."""
    if operation.outcome != "ok":
        return 0
    return {"create": 1, "delete": -1}.get(operation.kind, 0)
