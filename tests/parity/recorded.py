"""Reading the recordings: a request as it was sent, an answer as it came."""

import json
import re
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

Case = dict[str, Any]


def cases(path: Path) -> list[Case]:
    """Return the cases of a file, one JSON object a line."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def send(client: FlaskClient, case: Case) -> TestResponse:
    """Send a recorded request."""
    request = case["request"]
    body = request["body"]
    if body is not None and not request["body_is_raw"]:
        body = json.dumps(body)
    query = f"?{request['query']}" if request["query"] else ""
    return client.open(request["path"] + query, method=request["method"],
                       headers=request["headers"], data=body)


def differences(case: Case, answer: TestResponse) -> list[str]:
    """Return what differs between a recorded answer and ours: status, content type, body."""
    recorded = case["response"]
    found = []
    if answer.status_code != recorded["status"]:
        found.append(f"status {answer.status_code} instead of {recorded['status']}")
    content_type = recorded["headers"].get("content-type")
    if answer.content_type != content_type:
        found.append(f"content type {answer.content_type} instead of {content_type}")
    if not _same_body(recorded["body"], answer):
        found.append(f"body {answer.text[:500]} instead of {str(recorded['body'])[:500]}")
    return found


def _same_body(recorded: Any, answer: TestResponse) -> bool:
    if isinstance(recorded, dict) and "_truncated" in recorded:
        return (len(answer.data) == recorded["_len"]
                and answer.text.startswith(recorded["_head"]))
    if isinstance(recorded, str):
        return answer.text == recorded
    return bool(answer.get_json(force=True, silent=True) == recorded)


def rows(document: str, heading: str) -> dict[str, str]:
    """Return the case ids in the first column of a table below a heading -> the whole row."""
    section = document.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    return {case: line for line in table for case in re.findall(r"`([^`]+)`", line.split("|")[1])}
