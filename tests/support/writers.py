"""Clients that create entries continuously and record the status of each request."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Event, Thread
from types import TracebackType

import requests

from tests.support.http_client import Client

BROKEN = 0
"""The status of a write whose connection broke before a response."""

PAUSE_SECONDS = 0.05
"""The delay of a retry."""


@dataclass(frozen=True)
class Write:
    """An attempt to create an entry: its times and status."""

    key: str
    status: int
    began: float
    ended: float

    @property
    def accepted(self) -> bool:
        return self.status in (200, 201)


@dataclass
class Writer:
    """Creates entries one after another, alternating v1 and v2, each with its own key."""

    connect: Callable[[], Client]
    number: int
    writes: list[Write] = field(default_factory=list)
    stop: Event = field(default_factory=Event)

    def __call__(self) -> None:
        with self.connect() as client:
            while not self.stop.is_set():
                self.writes.append(self._write(client, len(self.writes)))

    def _write(self, client: Client, turn: int) -> Write:
        key, began = f"key {self.number} {turn}", time.monotonic()
        try:
            status = client.call(("v1", "v2")[turn % 2], "create", key, value_of(key)).status
        except requests.ConnectionError:
            status = BROKEN
        ended = time.monotonic()
        if status in (BROKEN, 503):
            self.stop.wait(PAUSE_SECONDS)
        return Write(key, status, began, ended)


class Writers:
    """Writers that run from entry to exit of the context."""

    def __init__(self, connect: Callable[[], Client], number: int = 4) -> None:
        self._writers = [Writer(connect, each) for each in range(number)]
        self._threads = [Thread(target=writer, daemon=True) for writer in self._writers]

    def __enter__(self) -> "Writers":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for writer in self._writers:
            writer.stop.set()
        for thread in self._threads:
            thread.join(60)

    def writes(self, since: float = 0) -> list[Write]:
        """Return the finished writes that began after a time."""
        return [
            write
            for writer in self._writers
            for write in list(writer.writes)
            if write.began > since
        ]

    def accepted(self, since: float = 0) -> list[Write]:
        """Return the writes that the server accepted."""
        return [write for write in self.writes(since) if write.accepted]

    def refused(self, since: float = 0) -> list[Write]:
        """Return the writes that were not accepted."""
        return [write for write in self.writes(since) if not write.accepted]

    def are_accepted(self, since: float, writes: int = 30) -> bool:
        """Return whether the last writes of each writer began after a time and were accepted."""
        last = [list(writer.writes)[-writes:] for writer in self._writers]
        return all(
            len(each) == writes and all(write.accepted and write.began > since for write in each)
            for each in last
        )

    def lost(self, stored: dict[str, str]) -> set[str]:
        """Return the keys of accepted writes that `stored` (key -> value) does not hold."""
        return {
            write.key
            for write in self.accepted()
            if stored.get(write.key) != f'"{value_of(write.key)}"'
        }


def value_of(key: str) -> str:
    return f"value of {key}"
