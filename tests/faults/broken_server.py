"""A server with a chosen bug, which keeps its entries and its DAG runs in dictionaries.

It shows that the checks of a run can fail.
"""

import json
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

EVERY = 8
"""One in this many writes of each kind triggers the bug."""


class Entries:
    """The stored entries; `bug` is the bug that affects every eighth write of a kind.

    `forgets` acknowledges the write without storing it, `overwrites` accepts a create of an
    existing entry, `keeps` acknowledges a delete and keeps the entry, `ignores` ignores If-Match,
    and `lags` returns the previous value to readers.
    """

    def __init__(self, bug: str) -> None:
        self._bug = bug
        self._stored: dict[str, str] = {}
        self._shown: dict[str, str] = {}
        self._writes = Counter[str]()
        self._lock = threading.Lock()

    def do(
        self, method: str, key: str, value: str | None, match: str | None
    ) -> tuple[int, str | None]:
        """Run a request; return its status and value."""
        with self._lock:
            if method == "GET":
                shown = self._shown if self._bug == "lags" else self._stored
                return (200, shown[key]) if key in shown else (404, None)
            if match not in (None, self._stored.get(key, match)) and self._bug != "ignores":
                return 412, None
            self._writes[method] += 1
            return self._write(method, key, value, wrong=self._writes[method] % EVERY == 0)

    def _write(
        self, method: str, key: str, value: str | None, *, wrong: bool
    ) -> tuple[int, str | None]:
        if method == "POST" and key in self._stored and not (wrong and self._bug == "overwrites"):
            return 409, None
        if method != "POST" and key not in self._stored:
            return 404, None
        if not wrong or self._bug == "overwrites":
            self._shown = dict(self._stored)
        if value is None:
            if not (wrong and self._bug == "keeps"):
                del self._stored[key]
            return 204, None
        if not (wrong and self._bug == "forgets"):
            self._stored[key] = value
        return 201 if method == "POST" else 200, value


STATES = ("queued", "running", "success")


class Runs:
    """The triggered runs, which take a step with each read.

    `bug` is the bug that affects every third read or trigger: `repeats` accepts a second trigger of
    an id, `hides` does not find a run, `returns` shows the state before the current one, `skips`
    takes two steps. `stays` takes a step only with every third read.
    """

    def __init__(self, bug: str) -> None:
        self._bug = bug
        self._steps: dict[str, int] = {}
        self._requests = Counter[str]()
        self._lock = threading.Lock()

    def trigger(self, run_id: str) -> int:
        """Trigger a run; return the status."""
        with self._lock:
            wrong = self._is_wrong("trigger")
            if run_id in self._steps and not (wrong and self._bug == "repeats"):
                return 409
            self._steps.setdefault(run_id, 0)
            return 200

    def read(self, run_id: str) -> str | None:
        """Return the state of a run, None for an unknown one, and take a step."""
        with self._lock:
            if run_id not in self._steps:
                return None
            wrong = self._is_wrong("read")
            if wrong and self._bug == "hides":
                return None
            step = self._steps[run_id]
            taken = {"skips": 1 + wrong, "stays": int(wrong)}.get(self._bug, 1)
            self._steps[run_id] = min(step + taken, len(STATES) - 1)
            return STATES[max(0, step - 1) if wrong and self._bug == "returns" else step]

    def run_ids(self) -> list[str]:
        """Return the ids of all runs."""
        return list(self._steps)

    def _is_wrong(self, kind: str) -> bool:
        self._requests[kind] += 1
        return self._requests[kind] % 3 == 0


@contextmanager
def broken_server(bug: str) -> Iterator[str]:
    """Yield the URL of a server with this bug; with an unknown name it has no bug."""
    entries, runs = Entries(bug), Runs(bug)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 20

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            given = json.loads(body) if body else {}
            if "xcomEntries" not in self.path:
                self.answer_about_runs(given)
                return
            key = given.get("key", self.path.rpartition("/")[2])
            match = self.headers.get("If-Match")
            status, value = entries.do(
                self.command, key, given.get("value"), match and match.strip('"')
            )
            shown = b"" if status == 204 else json.dumps({"value": value}).encode()
            self.send(status, shown, value)

        def answer_about_runs(self, given: dict[str, str]) -> None:
            if self.command == "POST":
                self.send(runs.trigger(given["dag_run_id"]), b"{}")
                return
            name = urlsplit(self.path).path.rpartition("/")[2]
            ids = runs.run_ids() if name == "dagRuns" else [name]
            found = [{"dag_run_id": each, "state": runs.read(each)} for each in ids]
            shown = {"dag_runs": found} if name == "dagRuns" else found[0]
            is_unknown = name != "dagRuns" and found[0]["state"] is None
            self.send(404 if is_unknown else 200, json.dumps(shown).encode())

        def send(self, status: int, shown: bytes, tag: str | None = None) -> None:
            self.send_response(status)
            if tag is not None:
                self.send_header("ETag", f'"{tag}"')
            self.send_header("Content-Length", str(len(shown)))
            self.end_headers()
            self.wfile.write(shown)

        do_GET = do_POST = do_PATCH = do_DELETE = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
