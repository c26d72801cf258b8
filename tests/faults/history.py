"""What clients did and saw: each operation with the time it began and, where known, it ended.

A client writes two lines for an operation, as JSON: before it sends the request, and after the
answer is read. A request whose second line is missing may have taken effect, like one that broke.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["create", "get", "patch", "delete"]
Outcome = Literal["ok", "fail", "mismatch", "unknown", "dropped"]

WRITES = ("create", "patch", "delete")

FAIL = {"create": 409, "get": 404, "patch": 404, "delete": 404}
"""The answer that tells that an entry is there (409) or is not (404), and changes nothing."""

MISMATCH = 412
"""The answer to a conditional patch that tells that the entry is there, with another value."""

OK = {"create": (200, 201), "get": (200,), "patch": (200,), "delete": (204,)}


@dataclass(frozen=True)
class Operation:
    """One operation on one entry; times are nanoseconds of the machine's monotonic clock.

    `value` is what was written or, for a get, read; `end` is None where the outcome is unknown.
    `expected` is the value that a conditional patch replaces, which an answer has shown before.
    """

    kind: Kind
    key: str
    value: str | None
    start: int
    end: int | None
    outcome: Outcome = "ok"
    client: int = 0
    expected: str | None = None

    @property
    def shown(self) -> str | None:
        """Return the value that the entry must have had for this outcome, None for any."""
        if self.outcome != "ok":
            return None
        return self.value if self.kind == "get" else self.expected

    def __str__(self) -> str:
        times = (
            f"{self.start / 1e9:.6f}..{self.end / 1e9:.6f}"
            if self.end
            else (f"{self.start / 1e9:.6f}..")
        )
        values = " ".join(filter(None, [self.expected and f"{self.expected} to", self.value]))
        return f"{times} client {self.client}: {self.kind} {values} {self.outcome}"


def classified(kind: str, status: int) -> Outcome | None:
    """Return what an answer's status says about an operation, None for what no answer may be.

    A 503 says of a write that it may have been stored, now or later; of a read it says nothing.
    """
    if status in OK[kind]:
        return "ok"
    if status == FAIL[kind]:
        return "fail"
    if status == MISMATCH and kind == "patch":
        return "mismatch"
    return broken(kind) if status == 503 else None


def broken(kind: str) -> Outcome:
    """Return what a request that got no answer says: only a write may have changed anything."""
    return "unknown" if kind in WRITES else "dropped"


def operations(lines: Iterable[str], client: int = 0) -> list[Operation]:
    """Return the operations that a client's lines tell of, without those that say nothing."""
    begun: dict[int, dict[str, Any]] = {}
    found = []
    for line in lines:
        event = json.loads(line)
        if event["event"] == "invoke":
            begun[event["id"]] = event
        else:
            found.append(_operation(begun.pop(event["id"]), event, client))
    found += [
        _operation(event, {"event": broken(event["kind"])}, client) for event in begun.values()
    ]
    return [each for each in found if each.outcome != "dropped"]


def _operation(invoke: dict[str, Any], answer: dict[str, Any], client: int) -> Operation:
    outcome = answer["event"]
    return Operation(
        invoke["kind"],
        invoke["key"],
        answer.get("value", invoke["value"]),
        invoke["at"],
        None if outcome == "unknown" else answer.get("at"),
        outcome,
        client,
        invoke.get("expected"),
    )


def read(files: Iterable[Path]) -> list[Operation]:
    """Return the operations of all clients; a client's last line may be cut off."""
    found: list[Operation] = []
    for client, path in enumerate(sorted(files)):
        text = path.read_text()
        found += operations(text[: text.rfind("\n") + 1].splitlines(), client)
    return found


def by_key(all_of_them: Iterable[Operation]) -> dict[str, list[Operation]]:
    """Return the operations on each entry: entries are independent of each other."""
    found = defaultdict(list)
    for each in all_of_them:
        found[each.key].append(each)
    return dict(found)
