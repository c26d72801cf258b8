"""A client of live servers: round-robin, one connection per request, with timing."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import requests

ENTRIES = "dags/etl/dagRuns/manual/taskInstances/extract/xcomEntries"


SECONDS = 30
"""The time-out of a request."""


@dataclass(frozen=True)
class Operation:
    """An operation and its status on success."""

    version: str
    name: str
    method: str
    done: int


OPERATIONS = {
    (version, name): Operation(version, name, method, done)
    for version, created in (("v1", 200), ("v2", 201))
    for name, method, done in (
        ("list", "GET", 200),
        ("get", "GET", 200),
        ("create", "POST", created),
        ("update", "PATCH", 200),
        ("delete", "DELETE", 204),
    )
}
WRITES = [each for each in OPERATIONS if each[1] in ("create", "update", "delete")]
READS = [each for each in OPERATIONS if each not in WRITES]

AT_ONCE = 4
"""The number of concurrent requests in tests."""


@dataclass(frozen=True)
class Answer:
    """A response, and its duration in seconds."""

    status: int
    headers: "requests.structures.CaseInsensitiveDict[str]"
    body: Any
    seconds: float


class Client:
    """Sends requests to the servers at these addresses, round-robin.

    Each request has its own connection: otherwise an idle connection that the server closes looks
    like one that breaks.
    """

    def __init__(self, *urls: str, user: str | None = None, token: str | None = None) -> None:
        self.user = user
        self.token = token
        self._urls = urls
        self._calls = 0
        self._session = requests.Session()
        self._session.trust_env = False  # ignore proxies and .netrc
        self._session.headers["Connection"] = "close"

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session.close()

    def login(self, user: str) -> str:
        """Authenticate as a user whose password equals the name; return the token for v2."""
        self.user = user
        answer = self.ask("POST", "/auth/token", {"username": user, "password": user})
        assert answer.status == 201, answer
        self.token = str(answer.body["access_token"])
        return self.token

    def call(self, version: str, name: str, key: str = "k", value: Any = "v") -> Answer:
        """Call an operation on an entry of one task."""
        operation = OPERATIONS[version, name]
        path = f"/api/{version}/{ENTRIES}" + ("" if name in ("list", "create") else f"/{key}")
        body = {"create": {"key": key, "value": value}, "update": {"value": value}}.get(name)
        return self.ask(operation.method, path, body)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Send a request to the next server."""
        url = self._urls[self._calls % len(self._urls)] + path
        self._calls += 1
        start = time.monotonic()
        answer = self._session.request(
            method, url, json=body, timeout=SECONDS, **self._credentials(path)
        )
        seconds = time.monotonic() - start
        is_json = answer.content and "json" in answer.headers.get("Content-Type", "")
        return Answer(
            answer.status_code, answer.headers, answer.json() if is_json else answer.text, seconds
        )

    def _credentials(self, path: str) -> dict[str, Any]:
        if path.startswith("/api/v1/") and self.user is not None:
            return {"auth": (self.user, self.user)}
        if path.startswith("/api/v2/") and self.token is not None:
            return {"headers": {"Authorization": f"Bearer {self.token}"}}
        return {}


def status(url: str, user: str = "", password: str = "") -> int:
    """Return the status of a GET, with credentials if given; 0 if the connection fails."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(
                url, auth=(user, password) if user else None, timeout=SECONDS
            ).status_code
        except requests.ConnectionError:
            return 0


def says_unavailable(version: str, answer: Answer) -> str:
    """Assert that a response is a 503 in its version's format; return its detail."""
    assert answer.status == 503, answer
    assert answer.headers["Retry-After"] == "1", answer
    if version == "v2":
        assert answer.headers["Content-Type"] == "application/json"
        assert answer.body.keys() == {"detail"}
    else:
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert answer.body.keys() == {"detail", "status", "title", "type"}
        assert answer.body["status"] == 503
    assert isinstance(answer.body["detail"], str)
    return str(answer.body["detail"])
