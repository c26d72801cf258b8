"""A client process, which runs and records the operations that its seed determines.

`python -m tests.faults.client URL FILE NUMBER SEED` runs until its standard input is closed, so
that no client outlives its parent. It uses only the standard library.
"""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any, NamedTuple
from urllib.parse import urlsplit
from zlib import crc32

from tests.faults.history import Kind, broken, classified

KEYS = [f"shared-{number}" for number in range(5)]
"""The entries that all clients write to."""

RUN = "dags/faults/dagRuns/run/taskInstances/task/xcomEntries"
PATHS = {"v1": f"/api/v1/{RUN}", "v2": f"/api/v2/{RUN}"}
METHODS = {"create": "POST", "get": "GET", "patch": "PATCH", "delete": "DELETE"}
TIMEOUT_SECONDS = 4.0
"""A client's time-out: twice the server's limit while its database is unavailable."""

KINDS: list[Kind] = ["create", "get", "patch", "delete"]
WEIGHTS = [25, 40, 22, 13]
OWN = 0.1
"""The share of operations that create an entry of one client, which is never deleted."""


@dataclass(frozen=True)
class Request:
    """A request to send after a delay of `think` seconds."""

    kind: Kind
    key: str
    version: str
    value: str | None
    think: float
    reconnect: bool
    """Whether to use a new connection, which may lead to another worker."""
    conditional: bool = False
    """Whether a patch replaces only the value that this client saw last."""


NOTHING_CHANGED = b"Nothing was changed."
"""The text of a 503 for a write that was not stored and never will be."""


class Answer(NamedTuple):
    """A response; `again` is its Retry-After header, `tag` its ETag."""

    status: int
    body: bytes
    again: str | None
    tag: str | None = None


class Refused(Exception):
    """The connection was refused, so no request was sent."""


def requests(seed: str, number: int) -> Iterator[Request]:
    """Yield a client's requests, which its seed determines; each value is written once."""
    source = random.Random(f"{seed} client {number}")
    count = 0
    while True:
        count += 1
        own = source.random() < OWN
        kind: Kind = "create" if own else source.choices(KINDS, WEIGHTS)[0]
        key = f"own-{number}-{count}" if own else source.choice(KEYS)
        value = f"{number}-{count}" if kind in ("create", "patch") else None
        yield Request(
            kind,
            key,
            source.choice(["v1", "v2"]),
            value,
            source.uniform(0, 0.016),
            source.random() < 0.1,
            source.random() < 0.5,
        )


def padded(value: str) -> str:
    """Pad a value; some take several database pages, so that a partial write is visible."""
    return value + "." * [0, 0, 0, 20, 9000][crc32(value.encode()) % 5]


class Connection:
    """Sends requests over one connection, and reconnects after an error."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._http = HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)

    def send(
        self, kind: Kind, key: str, version: str, value: str | None, tag: str | None = None
    ) -> Answer:
        """Send a request and return the response; a tag is sent as If-Match.

        Raises Refused, or OSError or HTTPException if the connection broke.
        """
        if self._http.sock is None:
            try:
                self._http.connect()
            except OSError as error:
                raise Refused from error
        path = PATHS[version] + ("" if kind == "create" else f"/{key}")
        body = None
        if value is not None:
            body = json.dumps({"value": padded(value)} | ({"key": key} if kind == "create" else {}))
        try:
            headers = {"Content-Type": "application/json"} | ({"If-Match": tag} if tag else {})
            self._http.request(METHODS[kind], path, body, headers)
            answer = self._http.getresponse()
            return Answer(
                answer.status,
                answer.read(),
                answer.getheader("Retry-After"),
                answer.getheader("ETag"),
            )
        except (OSError, HTTPException):
            self.close()
            raise

    def close(self) -> None:
        self._http.close()


class Client:
    """Sends requests and records their outcome."""

    def __init__(self, connection: Connection, output: IO[str]) -> None:
        self._connection = connection
        self._output = output
        self._seen: dict[str, tuple[str, str]] = {}  # key -> the last seen value and its ETag

    def run(self, plan: Iterable[Request], stopped: threading.Event) -> None:
        """Send requests until stopped; after an unknown outcome, wait a while like Retry-After."""
        for number, request in enumerate(plan):
            if stopped.wait(request.think):
                return
            if request.reconnect:
                self._connection.close()
            expected, tag = (
                self._seen.get(request.key, (None, None))
                if request.kind == "patch" and request.conditional
                else (None, None)
            )
            self._write(
                id=number,
                event="invoke",
                kind=request.kind,
                key=request.key,
                version=request.version,
                value=request.value,
                expected=expected,
            )
            answer = self._answer(request, tag)
            self._write(id=number, **answer)
            if answer["event"] in ("unknown", "dropped") and stopped.wait(0.3):
                return

    def _answer(self, request: Request, tag: str | None) -> dict[str, Any]:
        try:
            answer = self._connection.send(
                request.kind, request.key, request.version, request.value, tag
            )
        except Refused:
            return {"event": "dropped"}
        except (OSError, HTTPException) as error:
            return {"event": broken(request.kind), "why": repr(error)}
        found = event_for(request, answer)
        if answer.tag is not None and "value" in found:
            self._seen[request.key] = found["value"], answer.tag
        return {"status": answer.status, **found}

    def _write(self, **event: Any) -> None:
        self._output.write(json.dumps({"at": time.monotonic_ns(), **event}) + "\n")
        self._output.flush()


def event_for(request: Request, answer: Answer) -> dict[str, Any]:
    """Return the event for a response; `wrong` is added if the response is a violation."""
    outcome = classified(request.kind, answer.status)
    shown = stored_value(answer) if answer.status in (200, 201) else None
    if (
        outcome == "ok"
        and request.kind != "delete"
        and (shown is None or request.value not in (None, shown))
    ):
        outcome = None  # not the value of this write
    if answer.status == 503 and answer.again is None:
        outcome = None  # a 503 must have Retry-After
    elif answer.status == 503 and NOTHING_CHANGED in answer.body:
        outcome = "dropped"  # taken as a fact and checked against later reads
    if outcome is None:
        text = " ".join(answer.body[:300].decode(errors="replace").split())
        return {
            "event": broken(request.kind),
            "wrong": f"{answer.status} to {request.version} {request.kind}: {text}",
        }
    return {"event": outcome} | ({"value": shown} if shown is not None else {})


def stored_value(answer: Answer) -> str | None:
    """Return the value of a response, or None if no client can have written it."""
    try:
        stored = json.loads(answer.body)["value"]
        value: str = stored.rstrip(".")
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return value if padded(value) == stored else None


def main(url: str, file: str, number: str, seed: str) -> None:
    stopped = threading.Event()

    def wait_for_end() -> None:
        while os.read(sys.stdin.fileno(), 1):
            pass
        stopped.set()

    threading.Thread(target=wait_for_end, daemon=True).start()
    with Path(file).open("w") as output, closing(Connection(url)) as connection:
        Client(connection, output).run(requests(seed, int(number)), stopped)


if __name__ == "__main__":
    main(*sys.argv[1:])
