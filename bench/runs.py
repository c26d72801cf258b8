"""The section `runs`: CPU time of this server per request about runs, and about entries beside it.

The requests are sent through gunicorn to a server with one worker, over one connection.
"""

import random
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from xcom_server.storage.opening import connected_store

from bench import serving
from bench.databases import Databases
from bench.figures import SERVER_CPU, Figure, Step, Steps, spread
from bench.operations import TRIGGERED, V1, V2, Operation, operations, run_operations
from bench.peers import Served
from bench.plan import Plan
from bench.quiet import members

REQUESTS = {
    "GET entry": 100,
    "GET run": 100,
    "list of 100": 40,
    "list of 100 runs": 40,
    "list of 100 task instances": 40,
    "trigger": 40,
}
"""By operation, the number of requests in one measurement."""

CONTENDERS = {V1: "this, v1", V2: "this, v2"}
_TIMES = 3
"""The factor for the number of rounds, because a round is short here."""


def seconds(plan: Plan) -> float:
    """Return the estimated duration."""
    return len(plan.databases) * (10 + plan.rounds * _TIMES * 2)


def steps(plan: Plan) -> int:
    """Return the number of steps."""
    return len(plan.databases) * len(CONTENDERS)


def run(plan: Plan, databases: Databases) -> Steps:
    """Measure every operation on each database, in both versions of the API."""
    numbers = count()
    for database in plan.databases:
        url, folder = databases.url(database), databases.folder / f"runs-{database}"
        first = operations(databases.layout)["GET entry"].request(0)
        with serving.this(url, first, folder, workers=1) as served:
            for base, contender in CONTENDERS.items():
                wanted = operations(databases.layout, base) | run_operations(databases.layout, base)
                found = measure(
                    served, [wanted[name] for name in REQUESTS], plan.rounds * _TIMES, numbers
                )
                figures = {
                    Figure(SERVER_CPU, contender, database, name): numbers
                    for name, numbers in found.items()
                }
                said = ", ".join(
                    f"{name} {spread(each).median:,.0f}" for name, each in found.items()
                )
                yield Step(f"{database}, {contender}, µs: {said}", figures)
        with connected_store(url, "create") as store:
            store.dags.delete(TRIGGERED)


def measure(
    served: Served, wanted: list[Operation], rounds: int, numbers: Iterator[int]
) -> dict[str, list[float]]:
    """Return the CPU time per request of each operation, in microseconds; rounds alternate."""
    found: dict[str, list[float]] = defaultdict(list)
    place = urlsplit(served.url)
    with closing(HTTPConnection(place.hostname or "", place.port)) as connection:
        for round_ in range(rounds + 1):
            for each in random.sample(wanted, len(wanted)):
                taken = timed(served, connection, each, numbers)
                if round_:  # the first one warms up
                    found[each.name].append(taken)
    return {each.name: found[each.name] for each in wanted}


def timed(
    served: Served, connection: HTTPConnection, operation: Operation, numbers: Iterator[int]
) -> float:
    """Return the CPU time of a server per request, in microseconds.

    Raises RuntimeError for a response with another status than that of the operation.
    """
    before, size = microseconds_of_cpu(served.pid), REQUESTS[operation.name]
    for _ in range(size):
        request = operation.request(next(numbers))
        headers = {**served.headers, "Content-Type": "application/json"}
        connection.request(request.method, request.path, request.body, headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != operation.status:
            raise RuntimeError(f"{operation.name} returned {answer.status}")
    return (microseconds_of_cpu(served.pid) - before) / size


def microseconds_of_cpu(group: int) -> float:
    """Return the CPU time of a process group, more exactly than proc(5) counts in its `stat`."""
    return sum(
        int(thread.read_text().split()[0]) / 1000
        for folder in members(group)
        for thread in Path(folder, "task").glob("*/schedstat")
    )
