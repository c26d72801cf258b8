"""Connections that clients keep open are shared out among the workers."""

from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import psutil

from tests.live import LiveServer
from tests.waiting import until

CONNECTIONS = 12
ROUNDS = 9


def held(server: LiveServer) -> dict[int, int]:
    """Return how many connections of clients each worker has."""
    return {worker.pid: sum(each.status == psutil.CONN_ESTABLISHED
                            and each.laddr.port == server.port for each in worker.net_connections())
            for worker in psutil.Process(server.process.pid).children()}


def connected(server: LiveServer, stack: ExitStack) -> HTTPConnection:
    """Return a connection that was answered and stays open."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    stack.callback(connection.close)
    connection.request("GET", "/live")
    connection.getresponse().read()
    return connection


def shares(server: LiveServer) -> list[int]:
    """Return how many of twelve connections each worker gets."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connected(server, stack)
        found = held(server)
    until(lambda: not any(held(server).values()))
    return list(found.values())


def test_each_worker_has_its_share_of_connections(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=2) as server:
        until(lambda: all(shares(server)))  # the second worker is up
        found = [max(shares(server)) for _ in range(ROUNDS)]

    # Left to chance, one in three rounds gives the busier worker nine or more.
    assert sorted(found)[ROUNDS // 2] == CONNECTIONS // 2


def test_a_worker_that_hangs_keeps_the_other_from_nothing(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=2) as server, ExitStack() as stack:
        until(lambda: len(held(server)) == 2)
        hanging = psutil.Process(min(held(server)))
        hanging.suspend()
        stack.callback(hanging.resume)
        for _ in range(CONNECTIONS):
            connected(server, stack)

        assert held(server)[hanging.pid] == 0
