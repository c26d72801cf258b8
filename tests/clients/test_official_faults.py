"""What docs/faults.md says that the official clients do if a fault is injected."""

import re
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from xcom_server.testing import XcomServer
from xcom_server.testing.faults import Fault

from tests.support.official import OfficialClient
from tests.support.paths import ROOT

pytestmark = pytest.mark.clients

PAGE = (ROOT / "docs" / "faults.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## What the official clients do")[2]
ROWS = re.findall(r"^\| (`\w+`.*?) \| (.*?) \| (.*?) \|$", TABLE, re.MULTILINE)
"""The effect, and what the clients 2.10.0 and 3.3.2 do."""

FIELDS: dict[str, dict[str, Any]] = {
    "`status` 404": {"status": 404},
    "`status` 503 with `retry_after`": {"status": 503, "retry_after": 0},
    "`latency` above the time-out": {"seconds": 30},
}
VERSIONS = ["2.10.0", "3.3.2"]
CASES = [
    pytest.param(number, row[0], row[number + 1], id=f"{row[0]} {version}")
    for number, version in enumerate(VERSIONS)
    for row in ROWS
]


@pytest.fixture(scope="module")
def live(anyone: XcomServer) -> XcomServer:
    ids = {"dag_id": "etl", "run_id": "r", "task_id": "t"}
    anyone.seed([{**ids, "key": key, "value": 1} for key in "abc"])
    return anyone


@pytest.fixture(scope="module")
def clients(live: XcomServer, count_case: Callable[..., None]) -> Iterator[list[OfficialClient]]:
    old, new = VERSIONS
    with ExitStack() as stack:
        yield [
            stack.enter_context(
                OfficialClient(old, live.v1_url, count_case, username="ann", password="ann")
            ),
            stack.enter_context(OfficialClient(new, live.url, count_case, access_token="token")),
        ]


@pytest.fixture
def fail(live: XcomServer) -> Iterator[Callable[..., Fault]]:
    """Yield a function that adds a fault; the faults are removed after the test."""
    added: list[Fault] = []

    def add(effect: str, **options: Any) -> Fault:
        added.append(live.fail("*", effect, **options))
        return added[-1]

    yield add
    for fault in added:
        fault.remove()


def listed(client: OfficialClient, seconds: float = 60) -> dict[str, Any]:
    """List a page with a time-out in seconds."""
    options = {"limit": 2, "offset": 1, "_request_timeout": seconds}
    return client.ask("get_xcom_entries", "etl", "r", "t", **options)


def test_every_effect_is_in_the_table() -> None:
    assert len(CASES) == 22


@pytest.mark.parametrize(("number", "effect", "outcome"), CASES)
def test_client_raises_what_the_page_shows(
    clients: list[OfficialClient],
    fail: Callable[..., Fault],
    number: int,
    effect: str,
    outcome: str,
) -> None:
    kind = effect.split("`")[1]
    fault = fail(kind, **FIELDS.get(effect, {}))

    answer = listed(clients[number], 0.3 if kind == "latency" else 60)

    raised = answer["error"] and answer["error"]["name"]
    assert raised == (outcome.split("`")[1] if outcome.startswith("`") else None), answer
    requests_made = 4 if "after 4 requests" in outcome else 1
    assert fault.applied == requests_made


def test_clients_wait_for_retry_after_and_succeed(
    clients: list[OfficialClient], fail: Callable[..., Fault]
) -> None:
    for client in clients:
        fault = fail("status", status=503, retry_after=1, times=1)
        start = time.monotonic()
        assert listed(client)["error"] is None
        assert time.monotonic() - start >= 1
        assert fault.applied == 1


def test_client_of_v1_has_an_unknown_field_and_that_of_v2_does_not(
    clients: list[OfficialClient], fail: Callable[..., Fault]
) -> None:
    fail("extra_field", name="future", value=5)

    old, new = (listed(each)["result"] for each in clients)

    assert [each["future"] for each in (old, *old["xcom_entries"])] == [5] * 3
    assert not [each for each in (new, *new["xcom_entries"]) if "future" in each]


def test_clients_get_a_shifted_page(
    clients: list[OfficialClient], fail: Callable[..., Fault]
) -> None:
    fail("shifted_page")

    for result in (listed(each)["result"] for each in clients):
        assert [each["key"] for each in result["xcom_entries"]] == ["c"]
        assert result["total_entries"] == 2
