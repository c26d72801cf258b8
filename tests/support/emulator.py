"""Requests to the control plane and assertions about its responses."""

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

CLOCK = "/_emulator/clock"
ADVANCE = f"{CLOCK}/advance"
SEED = "/_emulator/seed"
RESET = "/_emulator/reset"
SNAPSHOTS = "/_emulator/snapshots"
FAULTS = "/_emulator/faults"
NEW_YEAR = "2026-01-01T00:00:00Z"


def freeze(client: FlaskClient, at: object = NEW_YEAR) -> None:
    """Stop the clock."""
    assert client.put(CLOCK, json={"freeze": at}).status_code == 200


def advance(client: FlaskClient, seconds: float) -> None:
    """Move the clock forward."""
    answer = client.post(ADVANCE, json={"seconds": seconds})
    assert answer.status_code == 200


def problem(answer: TestResponse, status: int) -> str:
    """Assert that a response is a problem document of the control plane; return its detail."""
    assert answer.content_type == "application/problem+json"
    body = answer.get_json()
    assert (answer.status_code, body["status"], body["type"]) == (status, status, "about:blank")
    return str(body["detail"])
