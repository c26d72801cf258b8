"""Stopping by signal: no signal is lost while workers boot, and no connection stays open."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.support.commands import XCOM_SERVER
from tests.support.http_client import Client
from tests.support.live_server import LiveServer
from tests.support.waiting import SECONDS, until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("booting", [1, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_server_stops_at_once_while_its_workers_boot(
    tmp_path: Path, number: signal.Signals, booting: int
) -> None:
    """Workers that missed the signal would be killed after 600 s.

    A terminal sends Ctrl-C to the master and to the workers.
    """
    log = tmp_path / "log"
    environ = {"XCOM_GRACEFUL_TIMEOUT_SECONDS": "600", "XCOM_DRAIN_SECONDS": "0"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [XCOM_SERVER, "serve", "--bind", "127.0.0.1:0"],
            cwd=tmp_path,
            env={**os.environ, **environ},
            start_new_session=True,
            stdout=output,
            stderr=output,
        )
    try:
        until(lambda: log.read_text().count("Booting worker") >= booting, why=log.read_text)
        os.killpg(process.pid, number)

        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
        process.wait()


def test_stopped_server_leaves_no_write_ahead_log(tmp_path: Path) -> None:
    """SQLite removes it when the last connection is closed."""
    with LiveServer(tmp_path) as server:
        with Client(server.url) as client:
            for number in range(30):  # so that both workers and several threads have connections
                assert client.call("v2", "create", str(number)).status == 201
        assert (tmp_path / "xcom.db-wal").exists()
        server.process.terminate()

        assert server.process.wait(SECONDS) == 0
    assert not (tmp_path / "xcom.db-wal").exists()
    assert "Exception" not in server.log.read_text()
