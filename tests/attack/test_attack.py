"""Hostile requests and slow clients cause no server error, no hang and no restart of a worker.

`make attack` does the same for minutes. Small servers that misbehave show that the checks can fail.
"""

import socket
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.attack.campaign import Plan, attack
from tests.attack.connection import Closed, RawConnection, Received, Unframed
from tests.attack.fuzzing import problems

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="reads memory in /proc"),
]

PATIENCE = 60
"""Seconds until a request counts as hung, on a loaded machine."""


@pytest.mark.parametrize(("database", "has_users"), [("sqlite", False), ("postgres", True)])
def test_server_withstands_an_attack(
    database: str, has_users: bool, tmp_path: Path, count_case: Callable[..., None]
) -> None:
    plan = Plan(
        database,
        has_users,
        "short",
        requests=1500,
        seconds=120,
        slow_clients=400,
        slow_seconds=4,
        clients=1,
        patience=PATIENCE,
    )

    report = attack(plan, tmp_path)

    assert report.all_findings() == []
    assert report.tally.requests >= plan.requests
    assert sum(report.slow.values()) >= plan.slow_clients
    assert {200, 400, 404, 405} <= report.tally.statuses.keys()
    for kind, count in {
        "requests": report.tally.requests,
        "checks of roles": report.matrix.checks,
        "slow connections": sum(report.slow.values()),
    }.items():
        count_case(f"attack on {database}: {kind}", count)


@pytest.mark.parametrize(
    ("received", "problem"),
    [
        (Received(500, {}, b"oops"), "status 500"),
        (Received(503, {}, b""), "status 503"),
        (Received(400, {"content-type": "application/json"}, b"{"), "invalid JSON in a 400"),
        (Received(200, {}, b"Traceback (most recent call last)"), "a traceback"),
        (Received(308, {"location": "http://attacker.example/x"}, b""), "redirect to"),
    ],
)
def test_bad_response_is_found(received: Received, problem: str) -> None:
    [found] = problems(received)

    assert found.startswith(problem)


def test_good_response_is_not_found() -> None:
    assert [*problems(Received(404, {"content-type": "application/json"}, b"{}"))] == []
    assert [*problems(Received(503, {"retry-after": "1"}, b""))] == []


@pytest.mark.parametrize(
    ("sent", "error"),
    [
        (b"", Closed),
        (b"HTTP/1.1 200\r\n\r\n", Unframed),
        (b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n", Unframed),
        (b"HTTP/1.1 200 OK\r\nNo colon\r\n\r\n", Unframed),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort", Unframed),
    ],
)
def test_response_that_http_does_not_allow_is_found(sent: bytes, error: type[Exception]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_respond, args=(listener, sent)).start()
        with (
            RawConnection(listener.getsockname()[1], PATIENCE) as connection,
            pytest.raises(error),
        ):
            connection.receive()


def test_server_that_is_silent_is_found() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        RawConnection(listener.getsockname()[1], 0.1) as connection,
        pytest.raises(TimeoutError),
    ):
        connection.receive()


def _respond(listener: socket.socket, data: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.sendall(data)
