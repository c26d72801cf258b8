"""Every worker returns the metrics of all workers, including those that have exited."""

import os
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.live_server import LiveServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

REQUESTS = 40


def count_of(server: LiveServer, operation: str) -> int:
    name = f'xcom_requests_total{{operation="{operation}",status="200"}} '
    with urlopen(f"{server.url}/metrics", timeout=30) as response:
        lines = response.read().decode().splitlines()
    return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


def test_every_worker_returns_the_metrics_of_all_workers(tmp_path: Path) -> None:
    with LiveServer(tmp_path, TMPDIR=str(tmp_path)) as server:
        for _ in range(REQUESTS):
            urlopen(f"{server.api}/version", timeout=30).close()
        assert {count_of(server, "v1_get_version") for _ in range(10)} == {REQUESTS}
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in server.workers() and len(server.workers()) == 2)

        assert {count_of(server, "v1_get_version") for _ in range(10)} == {REQUESTS}

    assert list(tmp_path.glob("xcom-server-metrics-*")) == []
