"""Keep-alive connections are balanced between the workers, unless a setting says otherwise."""

import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
from gunicorn.config import Config
from xcom_server.server import gunicorn_adapter
from xcom_server.server.gunicorn_adapter import YIELD_SECONDS, BalancedWorker, release_slot

from tests.faults.speed import CONNECTIONS, connected, held
from tests.support.live_server import LiveServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

BALANCED = "xcom_server.server.gunicorn_adapter.BalancedWorker"


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.setblocking(False)
        yield made


@pytest.fixture
def two_workers() -> Iterator[list[BalancedWorker]]:
    """Yield two workers of a server, which take connections and answer nothing."""
    workers: list[BalancedWorker] = []
    taken: list[Any] = []
    for age in (1, 2):
        worker = object.__new__(BalancedWorker)
        worker.age, worker.alive, worker.nr_conns, worker.cfg = age, True, 0, Config()
        worker.enqueue_req = taken.append
        worker.publish_count()
        workers.append(worker)
    yield workers
    for connection in taken:
        connection.sock.close()
    for worker in workers:
        release_slot(worker)


def connect_to_the_first(
    workers: list[BalancedWorker],
    listener: socket.socket,
    meanwhile: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[int, int]:
    """Return how many connections each worker has, when the first is always woken first.

    `meanwhile` is what happens while it waits for the other one.
    """
    monkeypatch.setattr(gunicorn_adapter, "time", SimpleNamespace(sleep=meanwhile))
    for _ in range(CONNECTIONS):
        with socket.create_connection(listener.getsockname()):
            workers[0].accept(listener)
    return workers[0].nr_conns, workers[1].nr_conns


def test_each_worker_has_its_share_of_connections(
    two_workers: list[BalancedWorker], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = connect_to_the_first(
        two_workers, listener, lambda _: two_workers[1].accept(listener), monkeypatch
    )

    assert shares == (CONNECTIONS // 2, CONNECTIONS // 2)


def test_a_worker_waits_once_for_another_one_and_then_takes_the_connection(
    two_workers: list[BalancedWorker], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    shares = connect_to_the_first(two_workers, listener, waits.append, monkeypatch)

    assert shares == (CONNECTIONS, 0)
    assert waits == [YIELD_SECONDS] * (CONNECTIONS - 1)  # the first was anybody's


@pytest.mark.parametrize("is_gone", [False, True], ids=["leaving", "gone"])
def test_a_worker_that_is_leaving_or_gone_is_not_waited_for(
    two_workers: list[BalancedWorker],
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    is_gone: bool,
) -> None:
    if is_gone:
        release_slot(two_workers[1])
    else:
        two_workers[1].alive = False
        two_workers[1].publish_count()

    shares = connect_to_the_first(
        two_workers, listener, lambda _: pytest.fail("it waits"), monkeypatch
    )

    assert shares == (CONNECTIONS, 0)


def test_a_worker_that_hangs_keeps_the_other_from_nothing(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=2) as server, ExitStack() as stack:
        assert f"Using worker: {BALANCED}\n" in server.log.read_text()
        until(lambda: len(held(server)) == 2)
        hanging = psutil.Process(min(held(server)))
        hanging.suspend()
        stack.callback(hanging.resume)
        for _ in range(CONNECTIONS):
            connected(server, stack)

        assert held(server)[hanging.pid] == 0


@pytest.mark.parametrize(("balance", "chosen"), [("true", BALANCED), ("false", "gthread")])
def test_the_setting_chooses_the_worker(tmp_path: Path, balance: str, chosen: str) -> None:
    with LiveServer(tmp_path, XCOM_BALANCE_CONNECTIONS=balance) as server, ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connected(server, stack)

        assert sum(held(server).values()) == CONNECTIONS
    assert f"Using worker: {chosen}\n" in server.log.read_text()
