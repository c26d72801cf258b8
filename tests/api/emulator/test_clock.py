"""The clock of the control plane: timestamps, scripts and tokens follow it."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server import clock

from tests.support.v1_calls import create, entry

CLOCK = "/_emulator/clock"
NEW_YEAR = "2026-01-01T00:00:00Z"


@pytest.fixture
def client(make_client: Callable[..., FlaskClient]) -> FlaskClient:
    return make_client(emulator=True)


@pytest.fixture(autouse=True)
def clock_of_the_machine() -> Any:
    """Give other tests in this thread the time of the machine again."""
    yield
    clock.follow(None)


def frozen(client: FlaskClient, at: object = NEW_YEAR) -> None:
    assert client.put(CLOCK, json={"freeze": at}).status_code == 200


def shown(client: FlaskClient) -> datetime:
    return datetime.fromisoformat(client.get(CLOCK).get_json()["now"])


def test_clock_is_that_of_the_machine_by_default(client: FlaskClient) -> None:
    before = datetime.now(UTC)
    answer = client.get(CLOCK)

    assert before <= datetime.fromisoformat(answer.get_json()["now"]) <= datetime.now(UTC)
    assert answer.get_json() | {"now": ""} == {"now": "", "is_frozen": False, "offset_seconds": 0}


def test_frozen_clock_is_the_timestamp_of_a_new_entry(client: FlaskClient) -> None:
    frozen(client)
    assert create(client).status_code == 200

    assert client.get(entry("k")).get_json()["timestamp"] == "2026-01-01T00:00:00+00:00"


def test_frozen_clock_can_be_moved_forward(client: FlaskClient) -> None:
    frozen(client)
    answer = client.post(f"{CLOCK}/advance", json={"seconds": 1.5})

    assert answer.get_json() == {
        "now": "2026-01-01T00:00:01.500000Z",
        "is_frozen": True,
        "offset_seconds": None,
    }
