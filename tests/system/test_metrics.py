"""Metrics are of all workers, whichever of them answers, also of one that is gone."""

import os
import signal
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.live_server import LiveServer
from tests.support.waiting import until

pytestmark = pytest.mark.slow

REQUESTS = 40


def counted(server: LiveServer, operation: str) -> int:
    name = f'xcom_requests_total{{operation="{operation}",status="200"}} '
    with urlopen(f"{server.url}/metrics", timeout=30) as answer:
        lines = answer.read().decode().splitlines()
    return sum(int(float(line.removeprefix(name))) for line in lines if line.startswith(name))


def test_every_worker_answers_for_all_also_for_one_that_was_killed(tmp_path: Path) -> None:
    with LiveServer(tmp_path, TMPDIR=str(tmp_path)) as server:
        for _ in range(REQUESTS):
            urlopen(f"{server.api}/version", timeout=30).close()
        assert {counted(server, "v1_get_version") for _ in range(10)} == {REQUESTS}
        victim = server.workers()[0]
        os.kill(victim, signal.SIGKILL)
        until(lambda: victim not in server.workers() and len(server.workers()) == 2)

        assert {counted(server, "v1_get_version") for _ in range(10)} == {REQUESTS}

    assert list(tmp_path.glob("xcom-server-metrics-*")) == []
