"""Restarts under load: no request fails while workers, or the whole server, are replaced."""

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest

from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.processes import has_ended
from tests.support.waiting import until

pytestmark = pytest.mark.slow

CLIENTS = 4
SECONDS = 60
"""The time-out of every wait, for a busy machine."""

ENTRIES = "/api/v2/dags/etl/dagRuns/r/taskInstances/t/xcomEntries"


class Load:
    """Clients that write and read continuously, half of them over keep-alive connections."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._send_requests, args=(number,))
            for number in range(CLIENTS)
        ]
        self.succeeded = 0
        self.failed: list[str] = []

    @contextmanager
    def running(self) -> Iterator["Load"]:
        """Send requests until the block ends."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            self.stop()

    def stop(self) -> None:
        """Stop sending requests, and return after the last response."""
        self._stop.set()
        for thread in self._threads:
            thread.join(SECONDS)

    def wait_for(self, more: int) -> None:
        """Wait until this many more requests have succeeded."""
        target = self.succeeded + more
        until(lambda: self.succeeded >= target, SECONDS)

    def _send_requests(self, client: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=SECONDS)
        for number in range(1_000_000):
            if self._stop.is_set():
                break
            if client % 2:
                connection.close()
            try:
                self._exchange(connection, f"{client}-{number}")
                self.succeeded += 1
            except (OSError, http.client.HTTPException, AssertionError) as error:
                self.failed.append(repr(error))
                connection.close()
        connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, key: str) -> None:
        body = json.dumps({"key": key, "value": key})
        for method, path, sent, expected in (
            ("POST", ENTRIES, body, 201),
            ("GET", f"{ENTRIES}/{key}", None, 200),
        ):
            connection.request(method, path, sent, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            assert response.status == expected, (response.status, text)


def reload(server: LiveServer) -> None:
    os.kill(server.process.pid, signal.SIGHUP)


def terminate_one_by_one(server: LiveServer) -> None:
    for worker in server.workers():
        os.kill(worker, signal.SIGTERM)
        until(partial(is_replaced, server, worker), SECONDS)


def is_replaced(server: LiveServer, worker: int) -> bool:
    workers = server.workers()
    return worker not in workers and len(workers) == 2


@pytest.mark.parametrize("replace", [reload, terminate_one_by_one])
def test_no_request_fails_while_workers_are_replaced(
    tmp_path: Path,
    replace: Callable[[LiveServer], None],
    figure: Callable[[str, float], None],
    count_case: Callable[..., None],
) -> None:
    with LiveServer(tmp_path) as server, Load(server.port).running() as load:
        load.wait_for(20)
        before = set(server.workers())
        replace(server)
        until(lambda: not before & set(server.workers()), SECONDS)
        load.wait_for(20)

    assert load.failed == []
    count_case("requests during rolling restarts", 2 * load.succeeded)
    figure("rolling restart: failed requests", len(load.failed))


@contextmanager
def serving(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], Path, int]]:
    """Start a server that opens its own port; yield the process, its log and the port."""
    log = folder / "log"
    command = str(Path(sys.executable).with_name("xcom-server"))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [command, "serve", "--bind", "127.0.0.1:0"],
            cwd=folder,
            stdout=output,
            stderr=output,
            env={**os.environ, "TMPDIR": str(folder), "XCOM_DRAIN_SECONDS": "0"},
        )
    with process:
        try:
            until(lambda: "xcom-server is ready at" in log.read_text(), SECONDS, log.read_text)
            yield process, log, int(log.read_text().split("/api/v1")[0].rpartition(":")[2])
        finally:
            process.kill()


def test_no_request_fails_while_sigusr2_replaces_the_master(
    tmp_path: Path, count_case: Callable[..., None]
) -> None:
    with serving(tmp_path) as (first, log, port), Load(port).running() as load:
        load.wait_for(20)
        first.send_signal(signal.SIGUSR2)
        until(lambda: log.read_text().count("xcom-server is ready at") == 2, SECONDS, log.read_text)
        started = log.read_text().rpartition("] [INFO] xcom-server is ready at")[0]
        second = psutil.Process(int(started.rpartition("[")[2]))
        try:
            until(lambda: len(second.children()) == 2, SECONDS)
            first.terminate()
            assert first.wait(SECONDS) == 0
            load.wait_for(20)
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SECONDS) as response:
                assert b"xcom_requests_total{" in response.read()
        finally:
            load.stop()
            second.terminate()
            until(lambda: has_ended(second), SECONDS)

    assert load.failed == []
    assert list(tmp_path.glob("xcom-server-metrics-*")) == []
    count_case("requests during a change of the master", 2 * load.succeeded)


def test_no_request_fails_while_max_requests_restarts_workers(
    tmp_path: Path, figure: Callable[[str, float], None], count_case: Callable[..., None]
) -> None:
    with (
        LiveServer(tmp_path, XCOM_MAX_REQUESTS="100") as server,
        Load(server.port).running() as load,
    ):
        before = set(server.workers())
        until(lambda: not before & set(server.workers()), SECONDS)
        load.wait_for(20)

    assert load.failed == []
    assert "Autorestarting worker" in server.log.read_text()
    count_case("requests during rolling restarts", 2 * load.succeeded)
    figure("rolling restart: failed requests", len(load.failed))


def connected(server: LiveServer) -> "closing[http.client.HTTPConnection]":
    return closing(http.client.HTTPConnection("127.0.0.1", server.port, timeout=SECONDS))


def test_stopping_server_becomes_unready_and_finishes_requests(
    tmp_path: Path,
) -> None:
    """The drain time is long; a second signal ends it."""
    with LiveServer(tmp_path, XCOM_DRAIN_SECONDS="600") as server, connected(server) as slow:
        body = json.dumps({"key": "slow", "value": 1})
        slow.putrequest("POST", ENTRIES)
        slow.putheader("Content-Type", "application/json")
        slow.putheader("Content-Length", str(len(body)))
        slow.endheaders(body[:5].encode())
        server.process.terminate()
        until(lambda: status(f"{server.url}/ready") == 503, SECONDS)

        assert status(f"{server.url}/live") == status(f"{server.api}/version") == 200
        assert server.process.poll() is None
        assert "Handling signal: term" not in server.log.read_text()
        server.process.terminate()
        until(lambda: "Handling signal: term" in server.log.read_text(), SECONDS)
        slow.send(body[5:].encode())
        assert slow.getresponse().status == 201
        assert server.process.wait(SECONDS) == 0


def test_draining_server_stops_after_the_drain_time(tmp_path: Path) -> None:
    with LiveServer(tmp_path, XCOM_DRAIN_SECONDS="1") as server:
        server.process.terminate()

        assert server.process.wait(SECONDS) == 0


def test_draining_server_closes_connections_after_the_response(tmp_path: Path) -> None:
    with (
        LiveServer(
            tmp_path, XCOM_DRAIN_SECONDS="600", GUNICORN_CMD_ARGS="--keep-alive 600"
        ) as server,
        connected(server) as kept,
    ):
        kept.request("GET", "/live")
        assert kept.getresponse().read()
        assert kept.sock is not None
        server.process.terminate()
        until(lambda: status(f"{server.url}/ready") == 503, SECONDS)

        kept.request("GET", "/live")
        response = kept.getresponse()

        assert (response.status, response.headers["Connection"]) == (200, "close")


def test_second_signal_stops_a_draining_server_at_once(tmp_path: Path) -> None:
    with LiveServer(tmp_path, XCOM_DRAIN_SECONDS="600") as server:
        server.process.terminate()
        until(lambda: status(f"{server.url}/ready") == 503, SECONDS)
        server.process.terminate()

        assert server.process.wait(SECONDS) == 0
