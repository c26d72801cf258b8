"""Figures that depend on the machine: waits of writers, and connections of each worker."""

import multiprocessing
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import psutil
from xcom_server.storage.models import XComKey
from xcom_server.storage.opening import open_backend
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore

from tests.support.live_server import LiveServer, UnmeasuredServer
from tests.support.waiting import until

START_SECONDS = 5
CONNECTIONS = 12


def figures(
    folder: Path, *, writers: int = 8, seconds: float = 3, rounds: int = 9
) -> Iterator[str]:
    """Yield a line for each figure; files are created in this new folder."""
    folder.mkdir()
    outcomes = _contend(f"sqlite:///{folder}/writers.db", writers, seconds)
    counts = sorted(count for count, _ in outcomes)
    yield (
        f"{writers} processes that write to one SQLite file for {seconds} s: the slowest write"
        f" took {max(slowest for _, slowest in outcomes):.3f} s; {sum(counts)} writes,"
        f" {counts[0]} to {counts[-1]} a process"
    )
    with UnmeasuredServer(folder, workers=2) as server:
        until(lambda: all(_shares(server)))  # the second worker is up
        busier = sorted(max(_shares(server)) for _ in range(rounds))
    yield (
        f"of {CONNECTIONS} connections the busier of two workers has, in {rounds} rounds:"
        f" {', '.join(map(str, busier))}"
    )


def held(server: LiveServer) -> dict[int, int]:
    """Return the number of client connections of each worker, by process id."""
    return {
        worker.pid: sum(
            each.status == psutil.CONN_ESTABLISHED and each.laddr.port == server.port
            for each in worker.net_connections()
        )
        for worker in psutil.Process(server.process.pid).children()
    }


def connected(server: LiveServer, stack: ExitStack) -> HTTPConnection:
    """Send a request and return its connection, which stays open."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=30)
    stack.callback(connection.close)
    connection.request("GET", "/live")
    connection.getresponse().read()
    return connection


def _contend(url: str, writers: int, seconds: float) -> list[tuple[int, float]]:
    """Write from several processes at the same time; return the results of each."""
    backend = open_backend(url)
    schema.upgrade(backend)
    backend.close()
    with ProcessPoolExecutor(writers, multiprocessing.get_context("spawn")) as pool:
        start = time.monotonic() + START_SECONDS
        running = [pool.submit(_write, url, number, start, seconds) for number in range(writers)]
        return [each.result(120) for each in running]


def _write(url: str, number: int, start: float, seconds: float) -> tuple[int, float]:
    """Write from `start` on; return the number of writes and the seconds of the slowest."""
    backend = open_backend(url)
    store = SqlXComStore(backend)
    waits: list[float] = []
    time.sleep(max(0, start - time.monotonic()))
    while (begun := time.monotonic()) < start + seconds:
        store.create(XComKey("d", "r", "t", -1, f"{number}-{len(waits)}"), "1")
        waits.append(time.monotonic() - begun)
    backend.close()
    return len(waits), max(waits, default=0)


def _shares(server: LiveServer) -> list[int]:
    """Open connections; return the number that each worker accepted."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            connected(server, stack)
        found = held(server)
    until(lambda: not any(held(server).values()))
    return list(found.values())
