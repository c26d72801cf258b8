"""Recorded requests and responses: reading, replaying and comparing them."""

import json
import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

from xcom_server.formats import strict_json

Case = dict[str, Any]


def cases(path: Path) -> list[Case]:
    """Return the cases of a file with one JSON object per line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def values(path: Path, status: int) -> list[tuple[str, str, str, Any]]:
    """Return each request for a stored value that got this status.

    A request is its id, the stored text, the requested form, and the value in the response (None
    for an error). Texts that are not strict JSON cannot be stored and are left out.
    """
    return [
        (f"{case['id']}-{form}", case["stored"], form, answer.get("value"))
        for case in cases(path)
        if _can_be_stored(case["stored"])
        for form, answer in case["answers"].items()
        if answer["status"] == status
    ]


def _can_be_stored(stored: str) -> bool:
    try:
        strict_json.loads(stored)
    except strict_json.InvalidJson:
        return False
    return True


class Answer(NamedTuple):
    """A response: its status, headers by lower-case name, and body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str | None:
        """The media type of the body, with its parameters."""
        return self.headers.get("content-type")

    def json(self) -> Any:
        """Return the parsed body, None if it is not JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


def body_of(request: dict[str, Any]) -> bytes | None:
    """Return the bytes of a recorded request's body, None without a body."""
    body = request["body"]
    if body is None:
        return None
    text: str = body if request["body_is_raw"] else json.dumps(body)
    return text.encode()


def send(port: int, case: Case) -> Answer:
    """Send a recorded request byte by byte."""
    request = case["request"]
    body = body_of(request)
    query = f"?{request['query']}" if request["query"] else ""
    headers = dict(request["headers"])
    if body is not None and "Content-Length" not in headers:
        headers["Content-Length"] = str(len(body))
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest(
        request["method"],
        request["path"] + query,
        skip_accept_encoding=True,
        skip_host="Host" in headers,
    )
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(body)
    with connection.getresponse() as answer:
        headers = {name.lower(): value for name, value in answer.getheaders()}
        found = Answer(answer.status, headers, answer.read())
    connection.close()
    return found


def differences(case: Case, answer: Answer) -> list[str]:
    """Return how a response differs from the recorded status, content type and body."""
    recorded = case["response"]
    found = []
    if answer.status != recorded["status"]:
        found.append(f"status {answer.status} instead of {recorded['status']}")
    content_type = recorded["headers"].get("content-type")
    if answer.content_type != content_type:
        found.append(f"content type {answer.content_type} instead of {content_type}")
    if not _same_body(recorded["body"], answer):
        found.append(f"body {answer.body[:500]!r} instead of {str(recorded['body'])[:500]}")
    return found


def _same_body(recorded: Any, answer: Answer) -> bool:
    if isinstance(recorded, dict) and "_truncated" in recorded:
        return len(answer.body) == recorded["_len"] and answer.body.startswith(
            recorded["_head"].encode()
        )
    if isinstance(recorded, str):
        return answer.body.decode() == recorded
    return bool(answer.json() == recorded)


def rows(
    document: str, heading: str, ids: Iterable[str] = (), *, has_all_cases: bool = True
) -> dict[str, str]:
    """Return the case ids in the first column of a table below a heading -> the whole row.

    A `*` in an id matches any characters; such an id stands for the matching ones of `ids`, which
    must exist if `ids` are those of all cases.
    """
    section = document.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    named = {case: line for line in table for case in re.findall(r"`([^`]+)`", line.split("|")[1])}
    found: dict[str, str] = {}
    for name, line in named.items():
        matching = [each for each in ids if fnmatchcase(each, name)] if "*" in name else [name]
        assert matching or not has_all_cases, f"{name} in docs/differences.md matches no recording"
        found |= dict.fromkeys(matching, line)
    return found


def status_here(row: str) -> str:
    """Return the column of a row of docs/differences.md about this server."""
    _, _, _, here, *_ = row.split("|")
    return here
