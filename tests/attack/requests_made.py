"""Random requests for the operations of both documents: well-formed ones, and broken ones."""

import random
import re
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from urllib.parse import quote

from tests.attack import odd_input
from tests.support.any_operation import BODIES, NAMES
from tests.support.documents import DOCUMENTS, VERSIONS, operations

IDS = {
    "dag_id": ("etl", "b", "~", "unknown"),
    "dag_run_id": ("manual_1", "~", "unknown"),
    "task_id": ("extract", "split", "~"),
    "map_index": ("0", "-1", "1"),
    "key": ("k", "new", "other"),
    "xcom_key": ("k", "new", "other"),
}
PAGES = (
    *("/", "/live", "/ready", "/health", "/version", "/metrics", "/openapi.json", "/favicon.ico"),
    *("/api/v1/openapi.json", "/api/v1/ui/", "/api/v2/ui/", "/api/v2/openapi.json", "/auth/token"),
    *("/api", "/api/v1", "/api/v2", "/api/v3/dags", "/_emulator/", "/admin", "/api/v1/dags/"),
)
WITHOUT_END = "wait_dag_run_until_finished"  # its response ends only when its run does


@dataclass(frozen=True)
class Sent:
    """A request: its target is percent-encoded, and its headers are latin-1."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | None = None
    version: str = ""
    tail: bytes = b""
    """Bytes after the body, such as chunks."""

    def encoded(self, host: str) -> bytes:
        """Return the request's bytes."""
        headers = [("Host", host), *self.headers]
        if self.body is not None:
            headers.append(("Content-Length", str(len(self.body))))
        lines = [
            f"{self.method} {self.target} HTTP/1.1",
            *(f"{name}: {text}" for name, text in headers),
        ]
        head = "\r\n".join(lines).encode("utf-8").replace(b"\x00", b"")
        return head + b"\r\n\r\n" + (self.body or b"") + self.tail


Credentials = Callable[[str, random.Random], tuple[tuple[str, str], ...]]
"""Returns the headers with credentials for a version."""


def basic(name: str, password: str) -> tuple[str, str]:
    """Return the header of Basic credentials."""
    return "Authorization", "Basic " + b64encode(f"{name}:{password}".encode()).decode()


def well_formed(choose: random.Random, credentials: Credentials) -> Sent:
    """Return a request that any HTTP server can parse; its parameters and body may be odd."""
    if choose.random() < 0.05:
        return Sent(choose.choice(("GET", "HEAD", "OPTIONS", "PUT")), choose.choice(PAGES))
    version = choose.choice(VERSIONS)
    path, method, operation = choose.choice(_operations(version))
    body = _body(choose, version, operation) if method in ("post", "patch") else None
    headers = [*credentials(version, choose)]
    if body is not None:
        kinds = ("application/json",) * 9 + ("text/plain", "application/json; charset=latin-1")
        headers.append(("Content-Type", choose.choice(kinds)))
    if choose.random() < 0.2:
        name, text = choose.choice(odd_input.HEADERS)
        if name not in ("Transfer-Encoding", "Expect", "Connection", "Upgrade"):
            headers.append((name, text.encode("latin-1", "replace").decode("latin-1")))
    target = _target(choose, path, operation)
    return Sent(method.upper(), target, tuple(headers), body, version)


def malformed(choose: random.Random, credentials: Credentials, host: str) -> bytes:
    """Return the bytes of a request with a mistake in its framing, its head or its length."""
    data = bytearray(_with_odd_framing(choose, well_formed(choose, credentials)).encoded(host))
    for _ in range(choose.randrange(4)):
        place = choose.randrange(len(data) or 1)
        kind = choose.randrange(4)
        if kind == 0:
            data[place : place + 1] = bytes([choose.randrange(256)])
        elif kind == 1:
            del data[place : place + choose.randrange(1, 9)]
        elif kind == 2:
            data[place:place] = choose.choice((b"\r\n", b"\n", b"\x00", b" ", b":", b"\xff", b"0"))
        else:
            del data[place:]
    return bytes(data)


@cache
def _operations(version: str) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [each for each in operations(version) if each[2]["operationId"] != WITHOUT_END]


def _with_odd_framing(choose: random.Random, request: Sent) -> Sent:
    """Return a request with a contradictory or unusual header, method or target."""
    kind = choose.randrange(6)
    if kind == 0:
        return replace(request, headers=(*request.headers, choose.choice(odd_input.HEADERS)))
    if kind == 1:
        length = choose.choice(("-1", "1_0", "+5", "0x10", "99999999999", "5, 5", "", " "))
        return replace(request, headers=(*request.headers, ("Content-Length", length)))
    if kind == 2:
        coding = choose.choice(("chunked", "Chunked", "xchunked", "chunked, identity", " chunked"))
        chunks = choose.choice((b"5\r\nhello\r\n0\r\n\r\n", b"zz\r\n", b"5\r\nhel", b"0\r\n\r\n"))
        headers = (*request.headers, ("Transfer-Encoding", coding))
        return replace(request, headers=headers, body=None, method="POST", tail=chunks)
    if kind == 3:
        return replace(request, method=choose.choice(("", "get", "A" * 30, "PROPFIND", "GET\t")))
    if kind == 4:
        odd = ("*", "http://attacker.example/live", "//live", "/\x7f", "/%zz", "/" + "x" * 9000, "")
        return replace(request, target=choose.choice(odd))
    return replace(request, headers=(*request.headers, ("X" * choose.choice((1, 9000)), "v")))


def _target(choose: random.Random, path: str, operation: Mapping[str, Any]) -> str:
    path = re.sub(r"\{(\w+)\}", lambda name: quote(_id(choose, name[1]), safe="~"), path)
    names = [each["name"] for each in _query_parameters(operation)]
    pairs = [
        f"{quote(choose.choice(names), safe='')}={quote(odd_input.text(choose), safe='~')}"
        for _ in range(choose.choice((0, 0, 0, 1, 1, 2, 3)))
        if names
    ]
    if choose.random() < 0.03:
        pairs.append(choose.choice(("unknown=1", "limit=%ff", "&&", "=", "limit", "a[]=1")))
    return path + ("?" + "&".join(pairs) if pairs else "")


def _query_parameters(operation: Mapping[str, Any]) -> list[dict[str, Any]]:
    found = []
    for each in operation.get("parameters", []):
        for document in DOCUMENTS.values() if "$ref" in each else ():
            shared = document.get("components", {}).get("parameters", {})
            each = shared.get(each.get("$ref", "").rpartition("/")[2], each)
        if each.get("in") == "query":
            found.append(each)
    return found


def _id(choose: random.Random, name: str) -> str:
    if choose.random() < 0.15:
        return odd_input.text(choose) or "x"
    return choose.choice(IDS.get(name, (NAMES.get(name, "1"),)))


def _body(choose: random.Random, version: str, operation: Mapping[str, Any]) -> bytes:
    """Return the body of a valid request, mostly with a few fields changed."""
    chance = choose.random()
    if chance < 0.1:
        return choose.choice(odd_input.RAW_JSON)
    body = BODIES.get((version, operation["operationId"]), {})
    if chance < 0.5:
        return odd_input.encoded(body)
    changed = dict(body)
    for _ in range(choose.randrange(1, 4)):
        names = [*changed, "key", "value", "conf", "note", "state", "dag_ids", "page_limit"]
        changed[choose.choice(names)] = odd_input.value(choose)
    return odd_input.encoded(changed if chance < 0.95 else odd_input.value(choose))
