"""Servers for tests in processes of their own: how they start and stop, and their errors."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from xcom_server.settings import SettingsError
from xcom_server.testing import ServerDown, StartError, control, process
from xcom_server.testing.pool import Pool
from xcom_server.testing.process import ServerProcess

from tests.support.processes import has_ended
from tests.support.waiting import SECONDS, until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"worker": 2}, "XCOM_WORKER is not a setting. Did you mean XCOM_WORKERS?"),
        ({"workers": 0}, "XCOM_WORKERS must be a whole number of at least 1 and at most 256"),
        ({"bind": "0.0.0.0:80"}, "bind cannot be set for a server in tests."),
    ],
)
def test_invalid_setting_is_an_error_before_a_process_starts(
    settings: dict[str, object], message: str
) -> None:
    with pytest.raises(SettingsError) as error:
        ServerProcess(**settings)

    assert str(error.value).startswith(message)


def test_server_that_does_not_start_is_an_error_with_its_log() -> None:
    with Pool() as pool:
        with pytest.raises(StartError) as first:
            pool.get({"users": "ann"})
        with pytest.raises(StartError) as second:
            pool.get({"users": "ann"})

    assert str(first.value).startswith("xcom-server did not start (exit status 1):\n")
    assert "xcom-server: XCOM_USERS: user 1 must be NAME:PASSWORD:ROLE" in str(first.value)
    assert second.value is first.value  # it is not started again


def test_server_that_takes_too_long_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "START_SECONDS", 0)
    monkeypatch.setattr(process, "STOP_SECONDS", 0)  # it is killed

    with pytest.raises(StartError, match=r"xcom-server did not start within 0 s:\n"):
        ServerProcess().__enter__()


def test_server_that_does_not_respond_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ServerProcess, "_wait_for_port", lambda process: 1)

    with pytest.raises(StartError, match="xcom-server does not respond: ConnectionRefusedError"):
        ServerProcess().__enter__()


def test_variables_of_the_user_have_no_effect(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XCOM_WORKER", "no setting")
    monkeypatch.setenv("XCOM_BASE_PATH", "/other")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--no-such-option")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    with Pool() as pool:
        server = pool.get({"base_path": "/airflow", "workers": 2})
        assert server.url.endswith("/airflow")
        assert server.v2_url == f"{server.url}/api/v2"
        server.reset()
        assert "Booting worker" in server.log()
        assert pool.get({"workers": "2", "base_path": "/airflow"}) is server
    assert list(tmp_path.iterdir()) == []


def test_server_that_has_ended_is_reported_and_replaced() -> None:
    with Pool() as pool:
        server = pool.get({})
        master_of(server.url).terminate()
        until(lambda: not server.is_running())
        with pytest.raises(ServerDown, match="POST /_emulator/reset: ConnectionRefused"):
            server.reset()

        replacement = pool.get({})
        replacement.reset()
    with pytest.raises(ServerDown, match="ConnectionRefused"):
        replacement.reset()  # its log has been removed


def master_of(url: str) -> psutil.Process:
    """Return the process of a server that this process has started and that has this URL."""
    port = int(url.rpartition(":")[2])
    (found,) = (
        each
        for each in psutil.Process().children()
        if port in [connection.laddr.port for connection in each.net_connections()]
    )
    return found


SCRIPT = """
import os, sys, threading, time
import xcom_server

def start():
    global context, server
    context = xcom_server.running()
    server = context.__enter__()

thread = threading.Thread(target=start)  # it ends before the process
thread.start()
thread.join()
server.reset()
print(server._process._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def parent(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process that runs a server, and prints the id of the server's process."""
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        [sys.executable, "-c", SCRIPT], env=environ, stdout=subprocess.PIPE, text=True
    ) as parent:
        yield parent
        parent.kill()


def test_server_stops_when_its_parent_is_killed(parent: "subprocess.Popen[str]") -> None:
    assert parent.stdout is not None
    master = psutil.Process(int(parent.stdout.readline()))
    workers = master.children()
    parent.kill()
    parent.wait(SECONDS)

    assert len(workers) == 1
    until(lambda: all(map(has_ended, [master, *workers])))


def test_error_without_a_problem_document_has_the_body() -> None:
    assert control._detail(b"<html>") == "<html>"
    assert control._detail(b"[1]") == "[1]"
    assert control._detail(b'{"title": "Not Found", "detail": null}') == "Not Found"
