"""Clients that do not send or read do not keep other clients from being served."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import requests

from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.slow_clients import (
    KINDS,
    LARGE,
    exchange,
    raise_file_limit,
    read_to_end,
    slow_clients,
)
from tests.support.waiting import until

pytestmark = pytest.mark.slow

SECONDS = 10
"""How long a response may take on a loaded machine; usually it takes a few milliseconds."""


@pytest.fixture(scope="module")
def large_value(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Start a server that has an entry of 900 KB."""
    with LiveServer(tmp_path_factory.mktemp("large")) as server:
        store_large_value(server)
        yield server


def store_large_value(server: LiveServer) -> None:
    value = {"key": "large", "value": "x" * 900_000}
    path = LARGE.rpartition("/")[0]
    assert requests.post(server.url + path, json=value, timeout=30).status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_others_are_served_beside_slow_clients(large_value: LiveServer, kind: str) -> None:
    with slow_clients(large_value, kind, 40):
        assert_responsive(large_value)


def assert_responsive(server: LiveServer) -> None:
    """Before, /live did not respond for 40 s."""
    start = time.monotonic()
    statuses = [status(f"{server.url}/live") for _ in range(5)]
    assert (statuses, time.monotonic() - start < SECONDS) == ([200] * 5, True)


def test_others_are_served_and_the_server_stops_beside_a_thousand_slow_clients(
    tmp_path: Path,
) -> None:
    """Before, the server took 30 s to stop."""
    raise_file_limit()
    with LiveServer(tmp_path) as server, ExitStack() as stack:
        store_large_value(server)
        for kind in KINDS:
            stack.enter_context(slow_clients(server, kind, 1000 // len(KINDS)))
        assert_responsive(server)

        start = time.monotonic()
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert time.monotonic() - start < SECONDS
    assert "Traceback" not in server.log.read_text()


def test_connections_above_the_maximum_replace_those_that_wait_longest(tmp_path: Path) -> None:
    with LiveServer(tmp_path, XCOM_MAX_CONNECTIONS="20") as server:
        with slow_clients(server, "half a head", 200) as clients:
            assert status(f"{server.url}/live") == 200
            assert read_to_end(clients[0]) == b""
        assert status(f"{server.url}/live") == 200


def test_few_file_descriptors_reduce_the_connections(tmp_path: Path) -> None:
    """Before, a worker exited when `accept` found no file descriptor."""
    command = tmp_path / "limited"
    server_command = Path(LiveServer(tmp_path)._command)
    command.write_text(f'#!/bin/sh\nulimit -n 64\nexec {server_command} "$@"\n')
    command.chmod(0o755)
    with LiveServer(tmp_path, command=command) as server:
        workers = server.workers()
        with slow_clients(server, "half a head", 200):
            assert status(f"{server.url}/live") == 200
            assert status(f"{server.api}/dags") == 200
        assert server.workers() == workers
        assert "The limit of open files allows" in server.log.read_text()


@pytest.fixture(scope="module")
def impatient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Start a server with short time-outs."""
    with LiveServer(
        tmp_path_factory.mktemp("impatient"),
        XCOM_HEAD_TIMEOUT_SECONDS="0.5",
        XCOM_BODY_TIMEOUT_SECONDS="0.5",
        XCOM_WRITE_TIMEOUT_SECONDS="0.5",
        XCOM_KEEP_ALIVE_SECONDS="1",
    ) as server:
        yield server


HEAD = b"POST /api/v1/dags/etl/dagRuns HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"G",
        HEAD,
        HEAD + b"Content-Length: 9\r\n\r\n",
        HEAD + b"Content-Length: 9\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    ],
)
def test_incomplete_request_gets_408_after_the_time_out(impatient: LiveServer, sent: bytes) -> None:
    response = exchange(impatient, sent)

    assert response.startswith(b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n")


def test_silent_and_idle_connections_are_closed_without_a_response(impatient: LiveServer) -> None:
    assert exchange(impatient, b"") == b""

    response = exchange(impatient, b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert response.count(b"HTTP/1.1") == 1


def test_response_that_is_not_read_is_cut_off(impatient: LiveServer) -> None:
    store_large_value(impatient)
    with slow_clients(impatient, "large responses that are not read", 1) as (client,):
        until(lambda: _is_reset(client))


def _is_reset(client: socket.socket) -> bool:
    return client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0


def test_response_to_a_client_that_reads_slowly_is_complete(large_value: LiveServer) -> None:
    request = f"GET {LARGE} HTTP/1.1\r\nHost: localhost\r\n"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", large_value.port))
        client.sendall(f"{request}\r\n{request}Connection: close\r\n\r\n".encode())
        time.sleep(0.2)
        responses = read_to_end(client)

    assert responses.count(b"HTTP/1.1 200 OK\r\n") == 2
    assert responses.count(b"x" * 900_000) == 2
