"""The requests and the stored data that need the most memory, as far as they are known."""

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

from tests.support.memory import MIB

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
ALLOWED = {200, 201, 409, 422, 503, 507}
"""The statuses of these requests."""

AT_ONCE = 20  # connections


def request(port: int, call: Call, authorization: str = "") -> tuple[int, int]:
    """Return the status of a response and its size."""
    method, path, body = call
    headers = {"Content-Type": "application/json", "Authorization": authorization}
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, len(answer.read())
    finally:
        connection.close()


def create_values(port: int, authorization: str = "") -> None:
    """Create the entries that the requests read."""
    for name in VALUES:
        call = "POST", f"/api/v2{ENTRIES}", entry(name)
        assert request(port, call, authorization)[0] == 201


def send_all(port: int, basic: str = "", bearer: str = "") -> list[tuple[int, int]]:
    """Send every request twice, AT_ONCE at a time; return their statuses and sizes.

    The credentials are those for v1 and for v2.
    """

    def send(call: Call) -> tuple[int, int]:
        return request(port, call, basic if "/v1/" in call[1] else bearer)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [*pool.map(send, 2 * (READS + POSTS))]
