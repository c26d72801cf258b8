"""What clients did and saw: each operation with its start and, if known, its end.

A client writes two lines of JSON for an operation: before it sends the request, and after it has
read the response. A write without a second line may have taken effect, as after a lost connection.
"""

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["create", "get", "patch", "delete", "trigger", "poll"]
Outcome = Literal["ok", "fail", "mismatch", "unknown", "dropped"]

WRITES = ("create", "patch", "delete")

FAIL = {"create": 409, "get": 404, "patch": 404, "delete": 404, "trigger": 409, "poll": 404}
"""The status if the entry or the run exists (409) or does not (404); nothing is changed."""

MISMATCH = 412
"""The status of a conditional patch if the entry exists with another value."""

OK = {
    "create": (200, 201),
    "get": (200,),
    "patch": (200,),
    "delete": (204,),
    "trigger": (200,),
    "poll": (200,),
}


@dataclass(frozen=True)
class Operation:
    """One operation on one entry or DAG run; times are nanoseconds of the monotonic clock.

    `value` is what was written or, for a get, read; for a poll it is the state of the run. `end` is
    None where the outcome is unknown.
    `expected` is the value that a conditional patch replaces, which an earlier response contained.
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
    """Return the outcome for the status of a response, or None if the status is a violation.

    After a 503 a write may have been stored, or may still be; a read is ignored.
    """
    if status in OK[kind]:
        return "ok"
    if status == FAIL[kind]:
        return "fail"
    if status == MISMATCH and kind == "patch":
        return "mismatch"
    return broken(kind) if status == 503 else None


def broken(kind: str) -> Outcome:
    """Return the outcome of a request without a response; a poll changes a run as a write does."""
    return "dropped" if kind == "get" else "unknown"


def operations(lines: Iterable[str], client: int = 0) -> list[Operation]:
    """Parse a client's lines into operations; dropped ones are left out."""
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
