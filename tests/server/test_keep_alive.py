"""Connections stay open between requests, and a response says when its connection ends."""

import http.client
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

PAUSE_SECONDS = 2.5
"""gunicorn's own default closes connections after 2 s."""


def test_pool_with_idle_connections_gets_no_reset(tmp_path: Path) -> None:
    """Before, all of these requests failed."""
    with LiveServer(tmp_path) as server, ExitStack() as stack:
        pool = [http.client.HTTPConnection("127.0.0.1", server.port, 60) for _ in range(200)]
        for connection in pool:
            connection.auto_open = 0  # otherwise http.client would connect again
            connection.connect()
            stack.callback(connection.close)
        for _ in range(2):
            for connection in pool:
                connection.request("GET", "/live")
                assert connection.getresponse().read()
            time.sleep(PAUSE_SECONDS)


def test_setting_ends_idle_connections(tmp_path: Path) -> None:
    with LiveServer(tmp_path, XCOM_KEEP_ALIVE_SECONDS="0") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        connection.request("GET", "/live")
        response = connection.getresponse()

        assert response.read()
        assert response.headers["Connection"] == "close"
        connection.close()
