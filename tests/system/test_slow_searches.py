"""Slow patterns from many clients: each ends in time, and other requests are served meanwhile."""

import shutil
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.support.live_server import LiveServer
from tests.support.slow_keys import add_slow_keys, slow_pattern

pytestmark = pytest.mark.slow

CLIENTS = 9
"""One more than the server has threads."""

SECONDS = 10
"""How long a request may wait for others; without a time limit each search takes 20 s."""

ENTRIES = "/api/v2/dags/d/dagRuns/r/taskInstances/t/xcomEntries"
REASONS = ("A database statement took too long.", "Too many slow searches are in progress.")


def test_liveness_is_answered_while_nine_clients_search(
    tmp_path: Path, empty_database: Path
) -> None:
    shutil.copy(empty_database, tmp_path / "xcom.db")
    add_slow_keys(f"sqlite:///{tmp_path}/xcom.db", 40_000)
    finished, seen = threading.Event(), Counter[str]()

    def search(server: LiveServer) -> None:
        parameters = {"xcom_key_pattern": slow_pattern()}
        while not finished.is_set():
            answer = httpx.get(f"{server.url}{ENTRIES}", params=parameters, timeout=3 * SECONDS)
            assert answer.status_code == 503, answer.text
            assert answer.headers["Retry-After"] == "1"
            seen[next(each for each in REASONS if each in answer.text)] += 1

    with (
        LiveServer(tmp_path) as server,
        ThreadPoolExecutor(CLIENTS) as pool,
        httpx.Client(base_url=server.url, timeout=SECONDS) as client,
    ):
        clients = [pool.submit(search, server) for _ in range(CLIENTS)]
        try:
            for path in ["/live", f"{ENTRIES}/missing"] * 10:
                assert client.get(path).status_code == (200 if path == "/live" else 404)
        finally:
            finished.set()
        for each in clients:
            each.result()

    assert seen[REASONS[0]] >= 1
