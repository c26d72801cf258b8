"""All workers of a server, and all servers with one database, obey the same control plane."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from tests.support.databases import emptied
from tests.support.emulator import ADVANCE, CLOCK, NEW_YEAR, RESET, SEED
from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

RUNS = "/api/v2/dags/etl/dagRuns"
SCRIPT = {"states": ["running", "success"], "advance": {"seconds": 3600}}
DAG = {"dag_id": "etl", "script": SCRIPT}
HEARTBEAT = "2026-01-01T00:00:00+00:00"


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server with four workers."""
    with LiveServer(tmp_path_factory.mktemp("w"), workers=4, XCOM_EMULATOR="true") as live:
        yield live
    assert f"The control plane is at {live.url}/_emulator/" in live.log.read_text()
    assert not [*live.folder.glob("xcom.db*-wal")]  # all connections were closed


@pytest.fixture(scope="module")
def hosts(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str
) -> Iterator[tuple[LiveServer, LiveServer]]:
    """Yield two servers that share a PostgreSQL database."""
    settings: Any = {"XCOM_DATABASE_URL": emptied(postgres_url), "XCOM_EMULATOR": "true"}
    with ExitStack() as stack:
        one, two = (
            stack.enter_context(LiveServer(tmp_path_factory.mktemp("h"), workers=1, **settings))
            for _ in range(2)
        )
        yield one, two


@pytest.fixture(autouse=True)
def reset(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    for name in {"workers", "hosts"} & {*request.fixturenames}:
        server = request.getfixturevalue(name)
        first = server if isinstance(server, LiveServer) else server[0]
        assert requests.post(first.url + RESET, timeout=20).status_code == 204


def heartbeat(server: LiveServer) -> str:
    """Return the time of a server, over a connection of its own."""
    health = requests.get(f"{server.api}/health", timeout=20).json()
    return str(health["scheduler"]["latest_scheduler_heartbeat"])


def put(url: str, body: Any) -> None:
    assert requests.put(url, json=body, timeout=20).status_code == 200


def post(url: str, body: Any) -> Any:
    answer = requests.post(url, json=body, timeout=20)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_all_workers_have_the_same_clock(workers: LiveServer) -> None:
    put(workers.url + CLOCK, {"freeze": NEW_YEAR})
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(heartbeat, [workers] * 40)} == {HEARTBEAT}

    with ThreadPoolExecutor(8) as pool:
        [*pool.map(lambda n: post(workers.url + ADVANCE, {"seconds": n}), range(1, 9))]

    assert requests.get(workers.url + CLOCK, timeout=20).json()["now"] == "2026-01-01T00:00:36Z"
    with ThreadPoolExecutor(8) as pool:
        assert {*pool.map(heartbeat, [workers] * 40)} == {"2026-01-01T00:00:36+00:00"}


def test_client_that_waits_sees_an_advance_through_another_worker(workers: LiveServer) -> None:
    put(workers.url + CLOCK, {"freeze": NEW_YEAR})
    post(workers.url + SEED, {"dags": [DAG]})
    post(workers.url + RUNS, {"logical_date": None, "dag_run_id": "r"})
    url = f"{workers.url}{RUNS}/r/wait?interval=0.05"

    with requests.get(url, stream=True, timeout=60) as waiting:
        lines = waiting.iter_lines()
        assert json.loads(next(lines)) == {"state": "running"}
        post(workers.url + ADVANCE, {"seconds": 3600})
        assert json.loads([*lines][-1]) == {"state": "success"}


def test_all_hosts_have_the_same_clock_and_data(hosts: tuple[LiveServer, LiveServer]) -> None:
    one, two = hosts
    put(one.url + CLOCK, {"freeze": NEW_YEAR})
    post(one.url + SEED, {"dags": [DAG]})
    post(one.url + RUNS, {"logical_date": None, "dag_run_id": "r"})
    assert heartbeat(two) == HEARTBEAT

    post(two.url + ADVANCE, {"seconds": 3600})
    run = requests.get(f"{one.url}{RUNS}/r", timeout=20).json()
    assert (run["state"], run["end_date"]) == ("success", "2026-01-01T01:00:00Z")

    assert requests.post(two.url + RESET, timeout=20).status_code == 204
    assert requests.get(f"{one.url}{RUNS}/r", timeout=20).status_code == 404
    assert heartbeat(one) > HEARTBEAT
