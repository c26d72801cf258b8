"""Races for one run: clients that trigger the same id at once, while others poll it.

`race` records what each client did and saw in rounds, one run a round; `monotone.py` checks it.
"""

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.faults.client import TIMEOUT_SECONDS
from tests.faults.history import Kind, Operation, broken, classified
from tests.faults.monotone import violations

STATES = ("queued", "running", "success")
"""The states of a run of a DAG without a script; each run has a logical date of its own."""

TRIGGERS = 4
POLLERS = 8
DAG = "races"
ROUND_SECONDS = 20
"""When a poller gives up, on a loaded machine."""

_FIRST_DAY = date(2024, 1, 1).toordinal()

RUNS = {"v1": f"/api/v1/dags/{DAG}/dagRuns", "v2": f"/api/v2/dags/{DAG}/dagRuns"}


@dataclass
class Raced:
    """The figures of a race, and its violations."""

    rounds: int = 0
    triggers: Counter[str] = field(default_factory=Counter)
    shown: Counter[str] = field(default_factory=Counter)
    found: list[str] = field(default_factory=list)

    def figures(self) -> str:
        """Return the figures in one line."""
        triggers = ", ".join(f"{count} {outcome}" for outcome, count in self.triggers.items())
        shown = ", ".join(f"{state} x {count}" for state, count in self.shown.items())
        return f"{self.rounds} runs; triggers: {triggers}; polls: {shown}"

    def add(self, history: list[Operation]) -> None:
        """Check the history of one run."""
        self.rounds += 1
        for each in history:
            if each.kind == "trigger":
                self.triggers[each.outcome] += 1
            else:
                self.shown[each.value or each.outcome] += 1
        self.found += violations(history, STATES)


class _Racer:
    """One client of a round; its connection is open before the round starts."""

    def __init__(self, url: str, number: int, run_id: str, start: threading.Barrier) -> None:
        place = urlsplit(url)
        self._http = HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)
        self._version = ("v1", "v2")[number % 2]
        self._number = number
        self._run_id = run_id
        self._day = date.fromordinal(_FIRST_DAY + int(run_id.rpartition("-")[2]))
        self._start = start

    def trigger(self) -> list[Operation]:
        """Trigger the run once."""
        body = {"dag_run_id": self._run_id, "logical_date": f"{self._day}T00:00:00Z"}
        with closing(self._http):
            self._ready()
            return [self._send("trigger", "POST", RUNS[self._version], json.dumps(body))[0]]

    def poll(self) -> list[Operation]:
        """Read the run, alone or in a list, until it has ended."""
        found: list[Operation] = []
        runs = RUNS[self._version]
        paths = (f"{runs}/{self._run_id}", f"{runs}?limit=100&order_by=-id")  # the newest first
        end = time.monotonic() + ROUND_SECONDS
        with closing(self._http):
            self._ready()
            while time.monotonic() < end:
                found.append(self._send("poll", "GET", paths[self._number % 4 == 0])[0])
                if found[-1].value == STATES[-1]:
                    break
                time.sleep(random.uniform(0, 0.004))
        return found

    def _ready(self) -> None:
        self._http.connect()
        self._start.wait(ROUND_SECONDS)

    def _send(
        self, kind: Kind, method: str, path: str, body: str | None = None
    ) -> tuple[Operation, int]:
        start = time.monotonic_ns()
        status, text = 503, b""
        try:
            self._http.request(method, path, body, {"Content-Type": "application/json"})
            answer = self._http.getresponse()
            status, text = answer.status, answer.read()
        except (OSError, HTTPException):
            self._http.close()
        shown = _state(text, self._run_id) if kind == "poll" and status == 200 else None
        if kind == "poll" and status == 200 and shown is None:
            status = 404  # a list without the run
        outcome = classified(kind, status) or broken(kind)
        end = None if outcome == "unknown" else time.monotonic_ns()
        return Operation(kind, self._run_id, shown, start, end, outcome, self._number), status


def _state(text: bytes, run_id: str) -> str | None:
    """Return the state of a run in a response: the run, or a list of runs."""
    found = json.loads(text)
    for run in found.get("dag_runs", [found]):
        if run["dag_run_id"] == run_id:
            return str(run["state"])
    return None


def race(url: str, rounds: int, on_round: Callable[[Raced], None] = lambda raced: None) -> Raced:
    """Trigger one run after another with several clients at once, and poll it meanwhile."""
    raced = Raced()
    for round_ in range(rounds):
        start = threading.Barrier(TRIGGERS + POLLERS)
        racers = [
            _Racer(url, number, f"race-{round_}", start) for number in range(TRIGGERS + POLLERS)
        ]
        with ThreadPoolExecutor(len(racers)) as threads:
            work = [
                threads.submit(each.trigger if number < TRIGGERS else each.poll)
                for number, each in enumerate(racers)
            ]
            raced.add([operation for each in work for operation in each.result()])
        on_round(raced)
    return raced
