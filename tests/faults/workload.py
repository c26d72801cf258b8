"""Client processes that use a live server, and the operations that they have recorded."""

import json
import subprocess
import sys
import threading
from collections import Counter
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.faults.client import KEYS, Client, Connection, Request
from tests.faults.history import WRITES, Operation, read

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 30
ROUNDS = 5
"""How often the final read of an entry is tried."""


class Workload:
    """A context manager that starts a number of clients on entry and stops them on exit."""

    def __init__(self, url: str, folder: Path, *, seed: str, clients: int) -> None:
        self._url = url
        self._folder = folder
        self._seed = seed
        self._count = clients
        self._processes: list[subprocess.Popen[bytes]] = []
        self.tally = Tally()
        self._files = [folder / f"client-{number:02}.jsonl" for number in range(clients)]
        self._errors = folder / "clients.log"

    def __enter__(self) -> "Workload":
        with self._errors.open("ab") as errors:
            for number, file in enumerate(self._files):
                file.touch()
                self._processes.append(
                    subprocess.Popen(
                        [
                            sys.executable,
                            "-m",
                            "tests.faults.client",
                            self._url,
                            str(file),
                            str(number),
                            self._seed,
                        ],
                        cwd=ROOT,
                        stdin=subprocess.PIPE,
                        stderr=errors,
                    )
                )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.close()
        for process in self._processes:
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def look(self) -> "Tally":
        """Return the counts of all operations so far; raises RuntimeError if a client has died."""
        if any(process.poll() for process in self._processes):
            raise RuntimeError(f"a client ended:\n{self._errors.read_text()}")
        for file in self._files:
            self.tally.read_new_lines(file)
        return self.tally

    def history(self) -> list[Operation]:
        """Return the operations of all clients, and a final read of every entry.

        Raises RuntimeError if an entry cannot be read.
        """
        seen = read(self._files)
        last = self._folder / f"client-{self._count:02}.jsonl"
        unread = [*KEYS, *(each.key for each in seen if each.key not in KEYS)]
        with last.open("w") as output, closing(Connection(self._url)) as connection:
            for _ in range(ROUNDS):
                gets = [Request("get", key, "v2", None, 0, False) for key in unread]
                Client(connection, output).run(gets, threading.Event())
                answered = {each.key for each in read([last])}
                unread = [key for key in unread if key not in answered]
        if unread:
            raise RuntimeError(f"{len(unread)} entries could not be read in the end")
        self.tally.read_new_lines(last)
        return read([*self._files, last])

    def observed(self) -> list[Operation]:
        """Return the operations of all clients, without final reads."""
        return read(self._files)


class Tally:
    """Counts of recorded operations, updated as the files grow."""

    def __init__(self) -> None:
        self.operations = 0
        self.acknowledged = 0
        self.unknown = 0
        self.statuses: Counter[int] = Counter()
        self.slowest: dict[int, float] = {}
        """Status -> the longest time that a client waited for it, in seconds."""
        self.wrong: Counter[str] = Counter()
        self._places: dict[Path, int] = {}
        self._begun: dict[Path, dict[str, Any]] = {}

    def read_new_lines(self, file: Path) -> None:
        with file.open("rb") as lines:
            lines.seek(self._places.get(file, 0))
            for line in lines:
                if not line.endswith(b"\n"):
                    break  # still being written
                self._places[file] = self._places.get(file, 0) + len(line)
                event = json.loads(line)
                if event["event"] == "invoke":
                    self._begun[file] = event
                else:
                    self._count(self._begun[file], event)

    def _count(self, begun: dict[str, Any], event: dict[str, Any]) -> None:
        self.operations += event["event"] in ("ok", "fail", "mismatch")
        self.acknowledged += event["event"] == "ok" and begun["kind"] in WRITES
        self.unknown += event["event"] == "unknown"
        if "status" in event:
            status, took = event["status"], (event["at"] - begun["at"]) / 1e9
            self.statuses[status] += 1
            self.slowest[status] = max(took, self.slowest.get(status, 0))
        if "wrong" in event:
            self.wrong[event["wrong"]] += 1
