"""Keep-alive connections are balanced between the workers, unless a setting disables it."""

import selectors
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from xcom_server.server import gunicorn_adapter
from xcom_server.server.clients import Clients, Limits
from xcom_server.server.gunicorn_adapter import YIELD_SECONDS, BalancedWorker, release_slot

from tests.faults.speed import CONNECTIONS, connected, held
from tests.support.live_server import LiveServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

BALANCED = "xcom_server.server.gunicorn_adapter.BalancedWorker"
BUFFERED = "xcom_server.server.gunicorn_worker.BufferedWorker"
LIMITS = Limits(
    head_seconds=60,
    body_seconds=60,
    write_seconds=60,
    keep_alive_seconds=60,
    connections=100,
    buffer_bytes=1_000_000,
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as created:
        created.setblocking(False)
        yield created


@pytest.fixture
def two_workers() -> Iterator[list[BalancedWorker]]:
    """Yield two workers that accept connections and never respond."""
    workers: list[BalancedWorker] = []
    for age in (1, 2):
        worker = object.__new__(BalancedWorker)
        worker.age, worker.alive = age, True
        worker.clients = Clients(selectors.SelectSelector(), worker, LIMITS)
        worker.publish_count()
        workers.append(worker)
    yield workers
    for worker in workers:
        worker.clients.close()
        release_slot(worker)


def shares_if_the_first_wakes_first(
    workers: list[BalancedWorker],
    listener: socket.socket,
    meanwhile: Callable[[float], None],
    monkeypatch: pytest.MonkeyPatch,
) -> tuple[int, int]:
    """Return the number of connections of each worker if the first is always woken first.

    `meanwhile` is called instead of the wait for the other worker.
    """
    monkeypatch.setattr(gunicorn_adapter, "time", SimpleNamespace(sleep=meanwhile))
    for _ in range(CONNECTIONS):
        with socket.create_connection(listener.getsockname()):
            workers[0].accept(listener)
    return len(workers[0].clients), len(workers[1].clients)


def test_connections_are_shared_equally(
    two_workers: list[BalancedWorker], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    shares = shares_if_the_first_wakes_first(
        two_workers, listener, lambda _: two_workers[1].accept(listener), monkeypatch
    )

    assert shares == (CONNECTIONS // 2, CONNECTIONS // 2)


def test_busier_worker_waits_once_before_accepting(
    two_workers: list[BalancedWorker], listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[float] = []

    shares = shares_if_the_first_wakes_first(two_workers, listener, waits.append, monkeypatch)

    assert shares == (CONNECTIONS, 0)
    assert waits == [YIELD_SECONDS] * (CONNECTIONS - 1)  # there is no wait for the first one


@pytest.mark.parametrize("has_exited", [False, True], ids=["leaving", "gone"])
def test_exiting_or_exited_worker_is_not_waited_for(
    two_workers: list[BalancedWorker],
    listener: socket.socket,
    monkeypatch: pytest.MonkeyPatch,
    has_exited: bool,
) -> None:
    if has_exited:
        release_slot(two_workers[1])
    else:
        two_workers[1].alive = False
        two_workers[1].publish_count()

    shares = shares_if_the_first_wakes_first(
        two_workers, listener, lambda _: pytest.fail("the worker waits"), monkeypatch
    )

    assert shares == (CONNECTIONS, 0)


def test_hanging_worker_does_not_block_the_other(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=2) as server, ExitStack() as stack:
        assert f"Using worker: {BALANCED}\n" in server.log.read_text()
        until(lambda: len(held(server)) == 2)
        hanging = psutil.Process(min(held(server)))
        hanging.suspend()
        stack.callback(hanging.resume)
        for _ in range(CONNECTIONS):
            connected(server, stack)

        assert held(server)[hanging.pid] == 0


@pytest.mark.parametrize(("balance", "chosen"), [("true", BALANCED), ("false", BUFFERED)])
def test_setting_selects_the_worker_class(tmp_path: Path, balance: str, chosen: str) -> None:
    with LiveServer(tmp_path, XCOM_BALANCE_CONNECTIONS=balance) as server, ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connected(server, stack)

        assert sum(held(server).values()) == CONNECTIONS
    assert f"Using worker: {chosen}\n" in server.log.read_text()
