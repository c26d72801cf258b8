"""Every worker returns the metrics of all workers, including those that have exited."""

import os
import signal
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from xcom_server.observability.metrics_folder import VARIABLE

from tests.support.full_disk import full_file_system
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


def test_files_of_replaced_workers_are_continued(tmp_path: Path) -> None:
    with LiveServer(tmp_path, TMPDIR=str(tmp_path)) as server:
        for number in range(1, 7):
            urlopen(f"{server.api}/version", timeout=30).close()
            victim = server.workers()[0]
            os.kill(victim, (signal.SIGKILL, signal.SIGTERM)[number % 2])
            until(lambda victim=victim: _is_replaced(server, victim))  # type: ignore[misc]
            assert count_of(server, "v1_get_version") == number
        (folder,) = tmp_path.glob("xcom-server-metrics-*")
        files = {path.name for path in folder.glob("*.db")}

    # A replacement starts before the worker that it replaces has ended, so there may be one more.
    assert {name.partition("_")[0] for name in files} == {"counter", "gauge", "histogram"}
    assert len({name.rpartition("_")[2] for name in files}) in (2, 3), files


def _is_replaced(server: LiveServer, victim: int) -> bool:
    return victim not in server.workers() and len(server.workers()) == 2


def test_folder_of_a_killed_master_is_removed_at_the_next_start(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1, command=None, TMPDIR=str(tmp_path)) as server:
        (killed,) = tmp_path.glob("xcom-server-metrics-*")
        (worker,) = server.workers()
        server.process.kill()
        server.process.wait()
        until(lambda: not psutil.pid_exists(worker))
        server.start()
        (used,) = tmp_path.glob("xcom-server-metrics-*")
        (tmp_path / "other").mkdir()
        with LiveServer(tmp_path / "other", workers=1, command=None, TMPDIR=str(tmp_path)):
            folders = set(tmp_path.glob("xcom-server-metrics-*"))

    assert killed != used
    assert len(folders) == 2
    assert used in folders


def test_requests_are_served_though_the_disk_of_the_metrics_is_full(tmp_path: Path) -> None:
    with (
        full_file_system(tmp_path / "full") as folder,
        LiveServer(tmp_path, workers=1, command=None, **{VARIABLE: str(folder)}) as server,
    ):
        before = server.workers()
        for _ in range(100):
            urlopen(f"{server.api}/version", timeout=30).close()
        after = server.workers()

    log = server.log.read_text()
    assert after == before
    assert log.count("Metrics cannot be recorded: [Errno 28] No space left on device") < 50
    assert "more lines of this kind" in log
