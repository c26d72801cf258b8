"""The worst values and bodies at once: the workers need less memory than the shipped limit."""

import http.client
import json
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.support.cgroups import memory_limit
from tests.support.databases import load
from tests.support.live_server import LiveServer
from tests.support.memory import MIB, reset_peak, status_mib

LIMIT_MIB = 512
"""`resources.limits.memory` of deploy/kubernetes.yaml."""

ENTRIES = "/dags/etl/dagRuns/r/taskInstances/t/xcomEntries"
SIZE = MIB - 1000


def many(text: str, size: int = SIZE) -> str:
    return ",".join([text] * (size // (len(text) + 1)))


VALUES = {
    "numbers": "[" * 60 + many("0") + "]" * 60,  # the largest response
    "lists": f"[{many('[' * 61 + ']' * 61)}]",  # the most memory when it is parsed
    "objects": '["__",' + many('{"":0}') + "]",  # searched for reserved keys
}


def entry(name: str) -> str:
    """Return the body that creates the entry of a value."""
    return f'{{"key":"{name}","value":{VALUES[name]}}}'


def runs() -> str:
    """Return a seed file with more runs with a large `conf` than a response can have."""
    confs = [VALUES["numbers"], *(f'"{"x" * SIZE}"' for _ in range(17))]
    rows = [f'{{"dag_id":"etl","run_id":"r{n}","conf":{{"a":{c}}}}}' for n, c in enumerate(confs)]
    return f'{{"dag_runs":[{",".join(rows)}]}}'


def instances() -> str:
    """Return a seed file with as many task instances as a page can have, with the longest note."""
    rows = [{"task_id": "t", "map_index": n, "note": "x" * 1000} for n in range(10_000)]
    return json.dumps(
        {"dag_runs": [{"dag_id": "d" * 250, "run_id": "r" * 250, "task_instances": rows}]}
    )


SMALL_LISTS = f'{{"task_ids":[{many("[]")}]}}'  # an error for each
BATCH = '{"page_limit":10000}'
INSTANCES = "/dags/~/dagRuns/~/taskInstances/list"

Call = tuple[str, str, str | None]
READS: list[Call] = [
    ("GET", f"/api/{place}", None)
    for place in (
        f"v1{ENTRIES}/numbers?stringify=false",
        f"v1{ENTRIES}/lists?stringify=false",
        f"v1{ENTRIES}/lists?stringify=true",
        f"v2{ENTRIES}/lists",
        "v1/dags/etl/dagRuns",
        "v2/dags/etl/dagRuns",
        "v1/dags/etl/dagRuns/r0",
    )
]
POSTS: list[Call] = [
    *(("POST", f"/api/v2{ENTRIES}", entry(name)) for name in VALUES),
    ("POST", "/api/v2/dags/etl/clearTaskInstances", SMALL_LISTS),
    ("POST", "/api/v1/dags/~/dagRuns/list", BATCH),
    ("POST", "/api/v2/dags/~/dagRuns/list", BATCH),
    *(("POST", f"/api/{version}{INSTANCES}", BATCH) for version in ("v1", "v2") for _ in range(3)),
]


def request(server: LiveServer, call: Call) -> tuple[int, int]:
    """Return the status of a response and its size."""
    method, path, body = call
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    try:
        connection.request(method, path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    finally:
        connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LiveServer]:
    """Yield a server in the shipped limit with the worst values, and runs with such a `conf`."""
    command = Path(sys.executable).with_name("xcom-server")
    with (
        memory_limit(tmp_path, LIMIT_MIB, command) as limited,
        LiveServer(tmp_path, command=limited) as server,
    ):
        for name in VALUES:
            assert request(server, ("POST", f"/api/v2{ENTRIES}", entry(name)))[0] == 201
        load(server.database_url, runs(), instances())
        yield server


def test_worst_requests_at_once_fit_in_the_shipped_limit(
    server: LiveServer, figure: Callable[[str, float], None]
) -> None:
    workers = server.workers()
    for worker in workers:
        reset_peak(worker)
    lives: list[int] = []
    over = threading.Event()

    def probe() -> None:
        while not over.wait(0.2):
            with urlopen(f"{server.url}/live", timeout=30) as answer:
                lives.append(answer.status)

    prober = threading.Thread(target=probe)
    prober.start()
    with ThreadPoolExecutor(20) as pool:
        answers = [*pool.map(lambda call: request(server, call), 2 * (READS + POSTS))]
    over.set()
    prober.join()

    assert {status for status, _ in answers} <= {200, 201, 409, 422, 503, 507}
    assert max(size for _, size in answers) <= 16 * MIB
    assert {*lives} == {200}
    assert server.workers() == workers
    peaks = [status_mib("VmHWM", worker) for worker in workers]
    figure("peak of two workers with the worst requests, MiB", sum(peaks))
    assert sum(peaks) < LIMIT_MIB, peaks
    assert request(server, ("GET", f"/api/v1{ENTRIES}/numbers?stringify=true", None))[0] == 200
