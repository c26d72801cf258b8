"""Recorded responses of Airflow 3.3.2; tokens and current times are compared by format."""

import json
import re
from typing import Any

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
    return _same(recorded, answer.json())


def _same(recorded: Any, found: Any, *, in_value: bool = False) -> bool:
    """Compare as JSON; the order of keys counts, except inside values."""
    if isinstance(recorded, dict):
        in_order = in_value or not isinstance(found, dict) or [*recorded] == [*found]
        return (
            isinstance(found, dict)
            and recorded.keys() == found.keys()
            and in_order
            and all(
                _same(each, found[name], in_value=in_value or name in ("value", "input"))
                for name, each in recorded.items()
            )
        )
    if isinstance(recorded, list):
        return (
            isinstance(found, list)
            and len(recorded) == len(found)
            and all(
                _same(each, other, in_value=in_value)
                for each, other in zip(recorded, found, strict=True)
            )
        )
    if isinstance(recorded, str) and isinstance(found, str) and not in_value:
        if recorded == "<jwt>":
            return JWT.fullmatch(found) is not None
        if RECORDED_NOW.fullmatch(recorded):
            return TIMESTAMP.fullmatch(found) is not None
    return json.dumps(recorded) == json.dumps(found)
