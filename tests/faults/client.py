"""A client process: operations that its seed decides, one after another, each written down.

`python -m tests.faults.client URL FILE NUMBER SEED` runs until its standard input is closed, so
that no client outlives whoever started it. It needs the standard library alone.
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
"""The entries that all clients fight over."""

RUN = "dags/faults/dagRuns/run/taskInstances/task/xcomEntries"
PATHS = {"v1": f"/api/v1/{RUN}", "v2": f"/api/v2/{RUN}"}
METHODS = {"create": "POST", "get": "GET", "patch": "PATCH", "delete": "DELETE"}
TIMEOUT_SECONDS = 4.0
"""How long a client waits: twice what the server promises when its database is gone."""

KINDS: list[Kind] = ["create", "get", "patch", "delete"]
WEIGHTS = [25, 40, 22, 13]
OWN = 0.1
"""How many operations create an entry of the client's own, which nobody ever deletes."""


@dataclass(frozen=True)
class Request:
    """What to do next, and how long to think before."""

    kind: Kind
    key: str
    version: str
    value: str | None
    think: float
    anew: bool
    """Whether on a new connection, which may lead to another worker."""
    careful: bool = False
    """Whether a patch replaces only the value that this client saw last."""


NOTHING_CHANGED = b"Nothing was changed."
"""What a 503 says about a write that was surely not stored, and never will be."""


class Answer(NamedTuple):
    """What came back; `again` is the Retry-After header, `tag` the ETag."""

    status: int
    body: bytes
    again: str | None
    tag: str | None = None


class Refused(Exception):
    """Nobody listens: the request never left."""


def requests(seed: str, number: int) -> Iterator[Request]:
    """Yield what a client does, the same for the same seed; each value is written once."""
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
    """Return what is stored for a value: some are of several pages, so that half a write shows."""
    return value + "." * [0, 0, 0, 20, 9000][crc32(value.encode()) % 5]


class Connection:
    """Sends requests over one connection for as long as it holds."""

    def __init__(self, url: str) -> None:
        place = urlsplit(url)
        self._http = HTTPConnection(place.hostname or "", place.port, timeout=TIMEOUT_SECONDS)

    def send(
        self, kind: Kind, key: str, version: str, value: str | None, tag: str | None = None
    ) -> Answer:
        """Return the answer; with a tag, on the condition that the entry has it.

        Raises Refused, and OSError or HTTPException where it broke.
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
    """Does what `requests` says, and writes down what came of it."""

    def __init__(self, connection: Connection, output: IO[str]) -> None:
        self._connection = connection
        self._output = output
        self._seen: dict[str, tuple[str, str]] = {}  # key -> the value seen last, and its tag

    def run(self, todo: Iterable[Request], stopped: threading.Event) -> None:
        """Work until told to stop; where nothing was said, wait a moment, as Retry-After asks."""
        for number, request in enumerate(todo):
            if stopped.wait(request.think):
                return
            if request.anew:
                self._connection.close()
            expected, tag = (
                self._seen.get(request.key, (None, None))
                if request.kind == "patch" and request.careful
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
        found = told(request, answer)
        if answer.tag is not None and "value" in found:
            self._seen[request.key] = found["value"], answer.tag
        return {"status": answer.status, **found}

    def _write(self, **event: Any) -> None:
        self._output.write(json.dumps({"at": time.monotonic_ns(), **event}) + "\n")
        self._output.flush()


def told(request: Request, answer: Answer) -> dict[str, Any]:
    """Return what an answer says; `wrong` is added to one that may never be."""
    outcome = classified(request.kind, answer.status)
    shown = stored_value(answer) if answer.status in (200, 201) else None
    if (
        outcome == "ok"
        and request.kind != "delete"
        and (shown is None or request.value not in (None, shown))
    ):
        outcome = None  # the value of no write, or of another one
    if answer.status == 503 and answer.again is None:
        outcome = None  # whether to come again is promised to be said
    elif answer.status == 503 and NOTHING_CHANGED in answer.body:
        outcome = "dropped"  # a promise, and it is held against what is read later
    if outcome is None:
        text = " ".join(answer.body[:300].decode(errors="replace").split())
        return {
            "event": broken(request.kind),
            "wrong": f"{answer.status} to {request.version} {request.kind}: {text}",
        }
    return {"event": outcome} | ({"value": shown} if shown is not None else {})


def stored_value(answer: Answer) -> str | None:
    """Return the value that an answer shows, None if no client can have written it like that."""
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
