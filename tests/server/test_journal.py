"""Several workers and clients: a client that has its response finds the request in the journal."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests

from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

CLIENTS = 8
REQUESTS = 40  # of each client


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    folder = tmp_path_factory.mktemp("journal")
    with LiveServer(folder, workers=4, XCOM_EMULATOR="true") as server:
        yield server


@pytest.fixture
def server(live: LiveServer) -> LiveServer:
    assert requests.delete(f"{live.url}/_emulator/requests", timeout=60).status_code == 204
    return live


def journal(server: LiveServer, session: requests.Session | None = None, **query: Any) -> Any:
    get = session.get if session else requests.get
    return get(f"{server.url}/_emulator/requests", params=query, timeout=60).json()


def test_every_request_of_many_clients_is_recorded_once(server: LiveServer) -> None:
    def use(client: int) -> None:
        session = requests.Session()
        session.headers["User-Agent"] = name = f"client-{client}"
        for number in range(REQUESTS):
            path = f"/api/v{number % 2 + 1}/dags/{name}/nothing-{number}"
            assert session.get(server.url + path, timeout=60).status_code == 404
            if number % 8 == 7:
                (newest,) = journal(server, session, client=name, limit=1)["requests"]
                assert newest["path"] == path

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(use, range(CLIENTS)))

    recorded = journal(server)["requests"]
    sent = [
        f"/api/v{number % 2 + 1}/dags/client-{client}/nothing-{number}"
        for client in range(CLIENTS)
        for number in range(REQUESTS)
    ]
    assert Counter(each["path"] for each in recorded) == Counter(sent)
    assert "missing" not in server.log.read_text()


def test_requests_that_the_worker_answers_early_are_recorded(server: LiveServer) -> None:
    entries = "/api/v1/dags/d/dagRuns/r/taskInstances/t/xcomEntries"
    too_large = requests.post(server.url + entries, data=b"x" * (2**20 + 1), timeout=60)
    wrong_host = requests.get(server.url + entries, headers={"Host": "other"}, timeout=60)

    assert (too_large.status_code, wrong_host.status_code) == (413, 421)
    assert [each["status"] for each in journal(server)["requests"]] == [413, 421]
