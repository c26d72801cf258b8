"""Clients that send random requests, and the check of every response."""

import json
import random
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import count
from multiprocessing import get_context

from tests.attack.connection import Closed, RawConnection, Received, Unframed
from tests.attack.requests_made import Credentials, Sent, malformed, well_formed
from tests.attack.users import credentials_of

PIPELINED = 16  # the requests that a client sends before it reads the first response
MALFORMED = 0.6  # the share of rounds with one malformed request instead
SLOW_SECONDS = 5.0
EXPLAINED = {501: "connection", 503: "retry-after"}
"""Statuses above 499 that a client may get, and the header that each must have.

501 is the status for an unknown transfer coding.
"""


@dataclass
class Tally:
    """Counts of requests and statuses, the slowest response, and the findings."""

    requests: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    closed: int = 0
    slowest: float = 0
    slow: int = 0
    findings: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Tally") -> None:
        """Add the counts of another tally."""
        self.requests += other.requests
        self.statuses += other.statuses
        self.closed += other.closed
        self.slowest = max(self.slowest, other.slowest)
        self.slow += other.slow
        self.findings += other.findings

    def server_errors(self) -> int:
        """Return the number of statuses above 499."""
        return sum(count for status, count in self.statuses.items() if status >= 500)


@dataclass(frozen=True)
class Target:
    """The server that a client sends to, and whether it has users."""

    port: int
    has_users: bool
    patience: float
    """Seconds without a byte after which a request counts as hung."""


class Client:
    """One client; equal seeds send equal requests."""

    def __init__(self, target: Target, seed: str) -> None:
        self.target = target
        self.tally = Tally()
        self._choose = random.Random(seed)
        self._credentials: Credentials = credentials_of(target.port, target.has_users)

    def run(self, requests: int, deadline: float) -> Tally:
        """Send this many requests, or as many as there is time for."""
        while self.tally.requests < requests and time.monotonic() < deadline:
            if self._choose.random() < MALFORMED:
                self._send_malformed()
            else:
                self._send_pipelined()
        return self.tally

    @property
    def _host(self) -> str:
        return f"127.0.0.1:{self.target.port}"

    def _send_pipelined(self) -> None:
        sent = [well_formed(self._choose, self._credentials) for _ in range(PIPELINED)]
        with RawConnection(self.target.port, self.target.patience) as connection:
            connection.send(b"".join(each.encoded(self._host) for each in sent))
            for each in sent:
                received = self._receive(connection, each.encoded(self._host), each)
                if received is None or received.closes:
                    return

    def _send_malformed(self) -> None:
        data = malformed(self._choose, self._credentials, self._host)
        with RawConnection(self.target.port, self.target.patience) as connection:
            connection.send(data)
            connection.end()
            method = data.partition(b" ")[0].decode("latin-1")
            self._receive(connection, data, Sent(method, "", version="?"))

    def _receive(self, connection: RawConnection, data: bytes, sent: Sent) -> Received | None:
        """Read and check one response; return None if the connection is over."""
        self.tally.requests += 1
        start = time.monotonic()
        try:
            received = connection.receive(sent.method)
        except Closed:
            self.tally.closed += 1
            if sent.version != "?":  # a well-formed request gets a response
                self._find("no response", data)
            return None
        except TimeoutError:
            self._find(f"no byte within {self.target.patience:g} s", data)
            return None
        except (Unframed, ValueError) as error:
            self._find(f"invalid response: {error}", data)
            return None
        seconds = time.monotonic() - start
        self.tally.slowest = max(self.tally.slowest, seconds)
        self.tally.slow += seconds > SLOW_SECONDS
        self.tally.statuses[received.status] += 1
        for problem in problems(received):
            self._find(problem, data)
        return received

    def _find(self, problem: str, data: bytes) -> None:
        self.tally.findings[f"{problem} for {data[:300]!r}"] += 1


def problems(received: Received) -> Iterator[str]:
    """Yield what is wrong with a response to whatever request."""
    if received.status >= 500 and EXPLAINED.get(received.status, "?") not in received.headers:
        yield f"status {received.status}: {received.body[:200]!r}"
    if b"Traceback (most recent" in received.body:
        yield "a traceback in the body"
    kind = received.headers.get("content-type", "")
    if received.body and "json" in kind and "ndjson" not in kind and not _is_json(received):
        yield f"invalid JSON in a {received.status}"
    if received.status >= 400 and received.body and "html" in kind:
        yield f"HTML in a {received.status}"
    if "attacker" in received.headers.get("location", ""):
        yield f"redirect to {received.headers['location']}"


def _is_json(received: Received) -> bool:
    if "gzip" in received.headers.get("content-encoding", ""):
        return received.body[:2] == b"\x1f\x8b"
    try:
        json.loads(received.body)
    except ValueError:
        return False
    return True


def fuzz(target: Target, seed: str, requests: int, seconds: float, clients: int) -> Iterator[Tally]:
    """Send requests from several processes; yield the sum so far after each part."""
    total, deadline = Tally(), time.monotonic() + seconds
    part = min(2000, max(1, requests // clients))
    with ProcessPoolExecutor(clients, mp_context=get_context("spawn")) as pool:
        for number in count():
            left = requests - total.requests
            if left <= 0 or time.monotonic() >= deadline:
                return
            jobs = [
                pool.submit(_run, target, f"{seed} {number} {client}", part, deadline)
                for client in range(clients)
            ]
            for job in jobs:
                total.add(job.result())
            yield total


def _run(target: Target, seed: str, requests: int, deadline: float) -> Tally:
    return Client(target, seed).run(requests, deadline)
