"""Recorded responses of Airflow 3.3.2; tokens and current times are compared by format."""

import json
import re
from typing import Any
from urllib.request import Request, urlopen

from tests.support import json_diff
from tests.support.recorded import Answer, Case

RECORDED_NOW = re.compile(r"2026-11-2[0-9]T.*Z")
"""A current time of the recording server; this server's has the same format."""

TIMESTAMP = re.compile(r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z")
JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+")
TOKEN_OF = re.compile(r"<token-of-(\w+)>")


def with_tokens(case: Case, tokens: dict[str, str]) -> Case:
    """Return the case with tokens of this server's users in its headers."""
    request = case["request"]
    headers = {
        name: TOKEN_OF.sub(lambda of: tokens[of[1]], value)
        for name, value in request["headers"].items()
    }
    return {**case, "request": {**request, "headers": headers}}


def token(url: str, user: str) -> str:
    """Return a new token of a user, whose password is their name, from the server at a URL."""
    body = json.dumps({"username": user, "password": user}).encode()
    request = Request(f"{url}/auth/token", body, {"Content-Type": "application/json"})
    with urlopen(request) as answer:
        found: str = json.load(answer)["access_token"]
    return found


def differences(case: Case, answer: Answer) -> list[str]:
    """Return how a response differs from the recorded status, headers and body."""
    recorded = case["response"]
    found = []
    if answer.status != recorded["status"]:
        found.append(f"status {answer.status} instead of {recorded['status']}")
    for name in ("content-type", "allow", "vary", "content-encoding", "www-authenticate"):
        # not every header was recorded; a 204 has no content type
        if name in recorded["headers"] and answer.headers.get(name) != recorded["headers"][name]:
            found.append(
                f"{name} {answer.headers.get(name)!r} instead of {recorded['headers'][name]!r}"
            )
    if not _same_body(recorded["body"], answer):
        found.append(f"body {answer.body[:1500]!r} instead of {str(recorded['body'])[:1500]}")
    return found


def _same_body(recorded: Any, answer: Answer) -> bool:
    text = answer.body.decode(errors="replace")
    if isinstance(recorded, dict) and "_truncated" in recorded:
        return len(answer.body) == recorded["_len"] and TIMESTAMP.sub("", text).startswith(
            TIMESTAMP.sub("", recorded["_head"])
        )
    if isinstance(recorded, str) and not text.startswith('"'):
        return text == recorded
    return not any(json_diff.differences(recorded, answer.json(), _same))


def _same(name: str, recorded: Any, found: Any) -> bool:
    if isinstance(recorded, str) and isinstance(found, str):
        if recorded == "<jwt>":
            return JWT.fullmatch(found) is not None
        if RECORDED_NOW.fullmatch(recorded):
            return TIMESTAMP.fullmatch(found) is not None
    return json.dumps(recorded) == json.dumps(found)
