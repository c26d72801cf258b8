"""Faults in a seeded order: killed processes, paused processes and a full disk."""

import random
import resource
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException

import psutil

from tests.faults.client import Connection, Refused
from tests.support import processes
from tests.support.live_server import LiveServer
from tests.support.postgres import Postgres
from tests.support.waiting import until

KILLS = {
    "sqlite": ("kill-worker", "kill-master"),
    "postgres": ("kill-worker", "kill-master", "kill-database"),
}
OTHERS = {"sqlite": ("pause-worker", "full-disk"), "postgres": ("pause-worker", "pause-database")}

RECOVERY_SECONDS = 30
"""The time within which a write must be acknowledged again, on a loaded machine."""

PAGE = 4096


@dataclass(frozen=True)
class Fault:
    """A fault: `wait` seconds before it, its duration, and `pick` in 0..1 to choose a target."""

    kind: str
    wait: float
    seconds: float
    pick: float


@dataclass
class Struck:
    """A fault, the responses to writes during it, and the seconds until recovery."""

    fault: Fault
    during: Counter[str] = field(default_factory=Counter)
    recovery: float = 0.0


def schedule(seed: str, database: str, kills: int) -> list[Fault]:
    """Return this many kills, evenly by kind, and a fifth as many of each other fault."""
    source = random.Random(f"{seed} faults")
    kinds = [KILLS[database][number % len(KILLS[database])] for number in range(kills)]
    kinds += OTHERS[database] * -(-kills // 5)
    source.shuffle(kinds)
    return [
        Fault(kind, source.uniform(0.2, 2), source.uniform(0.3, 2.5), source.random())
        for kind in kinds
    ]


class Nemesis:
    """Applies faults to a live server and its database; restarts unsupervised processes."""

    def __init__(self, server: LiveServer, postgres: Postgres | None = None) -> None:
        self._server = server
        self._postgres = postgres
        self._connection = Connection(server.url)
        self._probes = 0
        self.struck: list[Struck] = []
        self.restarts = 0

    def strike(self, fault: Fault) -> None:
        """Apply a fault, and wait until a write is acknowledged afterwards."""
        struck = Struck(fault)
        strikes: dict[str, Callable[[Struck], None]] = {
            "kill-worker": self._kill_worker,
            "kill-master": self._kill_master,
            "kill-database": self._kill_database,
            "pause-worker": self._pause_worker,
            "pause-database": self._pause_database,
            "full-disk": self._fill_disk,
        }
        strikes[fault.kind](struck)
        struck.recovery = until(
            lambda: self._probe() in ("200", "201"),
            RECOVERY_SECONDS,
            lambda: f"no write was acknowledged after {fault}",
        )
        self.struck.append(struck)

    def run(self, faults: list[Fault], stopped: threading.Event) -> None:
        """Apply one fault after another until stopped."""
        for fault in faults:
            if stopped.wait(fault.wait):
                return
            self.strike(fault)

    def _kill_worker(self, struck: Struck) -> None:
        processes.tell([self._worker(struck.fault)], signal.SIGKILL)

    def _kill_master(self, struck: Struck) -> None:
        """Kill the master and start another; the orphaned workers must exit by themselves."""
        orphans = psutil.Process(self._server.process.pid).children()
        self._server.process.kill()
        self._server.process.wait()
        self._server.start()
        self.restarts += 1
        until(
            lambda: all(map(processes.has_ended, orphans)),
            RECOVERY_SECONDS,
            lambda: f"workers {orphans} outlived their master",
        )

    def _kill_database(self, struck: Struck) -> None:
        assert self._postgres is not None
        self._postgres.kill()
        try:
            self._probe_for(struck)
        finally:
            self._postgres.start()

    def _pause_worker(self, struck: Struck) -> None:
        with processes.paused(self._worker(struck.fault)):
            self._probe_for(struck)

    def _pause_database(self, struck: Struck) -> None:
        assert self._postgres is not None
        try:
            self._postgres.pause()
            self._probe_for(struck)
        finally:
            self._postgres.resume()

    def _fill_disk(self, struck: Struck) -> None:
        """Make writes beyond a size of at most two pages fail, for all files including the log.

        A worker is killed, so that its replacement starts on a full disk.
        """
        size = int(struck.fault.pick * 2 * PAGE)
        database = self._server.folder / "xcom.db"
        assert database.stat().st_size > size
        try:
            self._limit_files(size)
            processes.tell([self._worker(struck.fault)], signal.SIGKILL)
            self._probe_for(struck)
        finally:
            self._limit_files(resource.RLIM_INFINITY)

    def _workers(self) -> list[int]:
        """Return the server's workers; one of them may be restarting."""
        until(
            self._server.workers,
            RECOVERY_SECONDS,
            lambda: f"no worker is left\n{self._server.log.read_text()[-2000:]}",
        )
        return self._server.workers()

    def _worker(self, fault: Fault) -> int:
        workers = self._workers()
        return workers[int(fault.pick * len(workers))]

    def _limit_files(self, size: int) -> None:
        """Limit the master first, so that workers that it starts inherit the limit."""
        processes.limit_files([self._server.process.pid], size)
        processes.limit_files(self._workers(), size)

    def _probe_for(self, struck: Struck) -> None:
        """Write every 0.1 s during the fault, and count the outcomes."""
        end = time.monotonic() + struck.fault.seconds
        while time.monotonic() < end:
            struck.during[self._probe()] += 1
            time.sleep(0.1)

    def _probe(self) -> str:
        """Create an entry; return the status, or the name of the error."""
        self._probes += 1
        try:
            key = f"probe-{self._probes}"
            return str(self._connection.send("create", key, "v2", "probe").status)
        except (OSError, HTTPException, Refused) as error:
            return type(error).__name__
        finally:
            self._connection.close()
