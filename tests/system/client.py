"""A client of live servers: it takes them in turn, opens a connection a call, and times answers."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import requests

ENTRIES = "dags/etl/dagRuns/manual/taskInstances/extract/xcomEntries"


@dataclass(frozen=True)
class Operation:
    """What is called, and the status that says it was done."""

    version: str
    name: str
    method: str
    done: int

    def __str__(self) -> str:
        return f"{self.name} of {self.version}"


OPERATIONS = {(version, name): Operation(version, name, method, done)
              for version, created in (("v1", 200), ("v2", 201))
              for name, method, done in (("list", "GET", 200), ("get", "GET", 200),
                                         ("create", "POST", created), ("update", "PATCH", 200),
                                         ("delete", "DELETE", 204))}


@dataclass(frozen=True)
class Answer:
    """An answer, and how many seconds it took."""

    status: int
    headers: "requests.structures.CaseInsensitiveDict[str]"
    body: Any
    seconds: float


class Client:
    """Calls the servers at these addresses, each in its turn.

    A connection that the server closes while it idles could not be told from one that it breaks,
    so each call has its own.
    """

    def __init__(self, *urls: str, timeout: float = 30) -> None:
        self._urls = urls
        self._calls = 0
        self._timeout = timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no passwords of this user's
        self._session.headers["Connection"] = "close"
        self.token: str | None = None
        self.user: str | None = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._session.close()

    def login(self, user: str) -> None:
        """Call as a user, whose password is the name: v1 with both, v2 with a token."""
        self.user = user
        answer = self.ask("POST", "/auth/token", {"username": user, "password": user})
        assert answer.status == 201, answer
        self.token = answer.body["access_token"]

    def call(self, version: str, name: str, key: str = "k", value: Any = "v") -> Answer:
        """Call an operation on an entry of one task."""
        operation = OPERATIONS[version, name]
        path = f"/api/{version}/{ENTRIES}" + ("" if name in ("list", "create") else f"/{key}")
        body = {"create": {"key": key, "value": value}, "update": {"value": value}}.get(name)
        return self.ask(operation.method, path, body)

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        """Call the server whose turn it is."""
        url = self._urls[self._calls % len(self._urls)] + path
        self._calls += 1
        start = time.monotonic()
        answer = self._session.request(method, url, json=body, timeout=self._timeout,
                                       **self._credentials(path))
        seconds = time.monotonic() - start
        is_json = answer.content and "json" in answer.headers.get("Content-Type", "")
        return Answer(answer.status_code, answer.headers,
                      answer.json() if is_json else answer.text, seconds)

    def _credentials(self, path: str) -> dict[str, Any]:
        if path.startswith("/api/v1/") and self.user is not None:
            return {"auth": (self.user, self.user)}
        if path.startswith("/api/v2/") and self.token is not None:
            return {"headers": {"Authorization": f"Bearer {self.token}"}}
        return {}
