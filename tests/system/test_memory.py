"""The worst values and bodies at once: the workers need less memory than the shipped limit."""

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.cgroups import memory_limit
from tests.support.databases import load
from tests.support.live_server import LiveServer
from tests.support.memory import MIB, reset_peak, status_mib
from tests.support.worst_requests import (
    ALLOWED,
    ENTRIES,
    create_values,
    instances,
    request,
    runs,
    send_all,
)

LIMIT_MIB = 512
"""`resources.limits.memory` of deploy/kubernetes.yaml."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """Yield a server in the shipped limit with the worst values, and runs with such a `conf`."""
    command = Path(sys.executable).with_name("xcom-server")
    with (
        memory_limit(tmp_path, LIMIT_MIB, command) as limited,
        LiveServer(tmp_path, command=limited) as server,
    ):
        create_values(server.port)
        load(server.database_url, runs(), instances())
        yield server


def test_worst_requests_at_once_fit_in_the_shipped_limit(
    server: LiveServer, figure: Callable[[str, float], None]
) -> None:
    workers = server.workers()
    for worker in workers:
        reset_peak(worker)
    lives: list[int] = []
    over = threading.Event()

    def probe() -> None:
        while not over.wait(0.2):
            with urlopen(f"{server.url}/live", timeout=30) as answer:
                lives.append(answer.status)

    prober = threading.Thread(target=probe)
    prober.start()
    answers = send_all(server.port)
    over.set()
    prober.join()

    assert {status for status, _ in answers} <= ALLOWED
    assert max(size for _, size in answers) <= 16 * MIB
    assert {*lives} == {200}
    assert server.workers() == workers
    peaks = [status_mib("VmHWM", worker) for worker in workers]
    figure("peak of two workers with the worst requests, MiB", sum(peaks))
    assert sum(peaks) < LIMIT_MIB, peaks
    smaller = "GET", f"/api/v1{ENTRIES}/numbers?stringify=true", None
    assert request(server.port, smaller)[0] == 200
