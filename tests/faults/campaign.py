"""A run: clients and faults at the same time, then a verdict on all responses."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import TimeoutExpired
from typing import Any

from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema

from tests.faults.client import KEYS
from tests.faults.history import Operation, by_key
from tests.faults.linearizability import TooManyStates, violation
from tests.faults.nemesis import Fault, Nemesis, Struck
from tests.faults.workload import Tally, Workload
from tests.support.live_server import LiveServer, UnmeasuredServer
from tests.support.postgres import Postgres
from tests.support.waiting import until


@dataclass
class Verdict:
    """The verdict on a history: lost entries, and entries that are not linearizable."""

    checked: int = 0
    lost: list[str] = field(default_factory=list)
    not_linearizable: dict[str, str] = field(default_factory=dict)


@dataclass
class Report:
    """The figures of a run."""

    tally: Tally
    struck: list[Struck]
    restarts: int
    verdict: Verdict
    seconds: float
    failure: str = ""
    """Why the run ended early: the server did not recover, or a client died."""

    def faults(self) -> Counter[str]:
        """Return the number of faults of each kind."""
        return Counter(each.fault.kind for each in self.struck)

    def findings(self) -> list[str]:
        """Return the violations, each of one or more lines; empty for a good run."""
        return [
            *([self.failure] if self.failure else []),
            *(f"{count} times {text}" for text, count in self.tally.wrong.most_common()),
            *(f"lost: {key}" for key in self.verdict.lost[:20]),
            *(f"{key}: {why}" for key, why in self.verdict.not_linearizable.items()),
        ]

    def figures(self) -> str:
        """Return all figures, one per line."""
        lines = {
            "operations checked": self.verdict.checked,
            "acknowledged writes": self.tally.acknowledged,
            "writes with unknown outcome": self.tally.unknown,
            **dict(sorted(self.faults().items())),
            "server restarts": self.restarts,
            "acknowledged entries lost": len(self.verdict.lost),
            "entries not linearizable": len(self.verdict.not_linearizable),
        }
        return "\n".join(
            [
                *(f"{count:8} {what}" for what, count in lines.items()),
                f"{self.seconds:8.1f} seconds",
                *self._statuses(),
                *self._outages(),
            ]
        )

    def _statuses(self) -> Iterator[str]:
        for status, count in sorted(self.tally.statuses.items()):
            slowest = self.tally.slowest[status]
            yield f"{count:8} answers {status}, the slowest after {slowest:.2f} s"

    def _outages(self) -> Iterator[str]:
        for kind in sorted(self.faults()):
            those = [each for each in self.struck if each.fault.kind == kind]
            during = sum((each.during for each in those), Counter())
            answers = ", ".join(f"{answer} x {count}" for answer, count in sorted(during.items()))
            yield (
                f"{kind}: a write acknowledged again after"
                f" {max(each.recovery for each in those):.2f} s at most"
                + (f"; meanwhile {answers}" if answers else "")
            )


def judge(history: list[Operation]) -> Verdict:
    """Check all operations, including the final reads."""
    verdict = Verdict(checked=len(history))
    for key, operations in sorted(by_key(history).items()):
        why: object
        try:
            why = violation(operations)
        except TooManyStates as error:
            why = error
        if why is not None and key in KEYS:
            verdict.not_linearizable[key] = str(why)
        elif why is not None:
            verdict.lost.append(f"{key}: {why}")
    return verdict


@contextmanager
def served(database: str, folder: Path) -> Iterator[tuple[LiveServer, Postgres | None]]:
    """Yield a server on an empty database of this kind, and its PostgreSQL if any."""
    with ExitStack() as stack:
        postgres = stack.enter_context(Postgres(folder)) if database == "postgres" else None
        # Files that a killed master leaves behind are removed with the folder.
        (folder / "tmp").mkdir()
        settings: dict[str, Any] = {"TMPDIR": str(folder / "tmp")}
        if postgres is not None:
            backend = open_backend(postgres.url)
            schema.upgrade(backend)
            backend.close()
            settings["XCOM_DATABASE_URL"] = postgres.url
        yield stack.enter_context(UnmeasuredServer(folder, **settings)), postgres


Progress = Callable[[float, Tally, list[Struck]], None]


def campaign(
    database: str,
    folder: Path,
    *,
    seed: str,
    faults: list[Fault],
    seconds: float,
    clients: int = 8,
    on_progress: Progress = lambda *_: None,
    writes: int = 0,
) -> Report:
    """Run clients and faults until all faults have happened or time is up; then check.

    The run goes on until at least `writes` writes are acknowledged, even on a slow machine.
    """
    start = time.monotonic()
    with served(database, folder) as (server, postgres):
        nemesis = Nemesis(server, postgres)
        with Workload(server.url, folder, seed=seed, clients=clients) as work:
            failure = _work(work, nemesis, faults, seconds, on_progress, writes)
        work.look()
        history = work.observed() if failure else work.history()
    return Report(
        work.tally,
        nemesis.struck,
        nemesis.restarts,
        judge(history),
        time.monotonic() - start,
        failure,
    )


def _work(
    work: Workload,
    nemesis: Nemesis,
    faults: list[Fault],
    seconds: float,
    on_progress: Progress,
    writes: int,
) -> str:
    """Run clients and faults; return why they ended early, or an empty string."""
    stopped = threading.Event()
    start = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        striking = thread.submit(nemesis.run, faults, stopped)
        try:
            while not _has_ended(striking, 1) and time.monotonic() - start < seconds:
                on_progress(time.monotonic() - start, work.look(), nemesis.struck)
            stopped.set()
            striking.result()
            until(lambda: work.look().acknowledged >= writes, seconds)
        except (RuntimeError, AssertionError, OSError, TimeoutExpired) as error:
            return str(error)
        finally:
            stopped.set()
    return ""


def _has_ended(striking: Future[None], seconds: float) -> bool:
    try:
        striking.exception(seconds)
    except TimeoutError:
        return False
    return True
