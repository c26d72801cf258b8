"""The section `growth`: the latency of this server on SQLite as the table grows.

It is measured in one process, because the time that gunicorn and a connection add is constant and
would hide the growth.  It is wall-clock time, because reading and writing files is part of it.
"""

import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import count

from xcom_server.factory import create_app
from xcom_server.settings import Settings

from bench.contenders import THIS
from bench.data import fill
from bench.databases import Databases
from bench.figures import LATENCY, Figure, Figures, Step, Steps, spread
from bench.in_process import Application, call, environ
from bench.operations import Operation, operations
from bench.plan import SQLITE, Plan

SIZES = (1_000, 10_000, 100_000, 1_000_000)

REQUESTS = {
    "GET entry": 200,
    "list of 100": 50,
    "list of all, first page": 10,
    "list of all, deep": 5,
    "POST": 40,
}
"""By operation, the number of requests whose median is the figure of a round."""


def sizes(plan: Plan) -> tuple[int, ...]:
    """Return the sizes of the tables, in entries."""
    return (SIZES[0], SIZES[-1]) if plan.quick else SIZES


def seconds(plan: Plan) -> float:
    """Return the estimated duration."""
    return sum(sizes(plan)) / 40_000 + 2 * 5 * plan.rounds


def steps(plan: Plan) -> int:
    """Return the number of steps."""
    return len(sizes(plan)) + len(REQUESTS)


def run(plan: Plan, databases: Databases) -> Steps:
    """Measure each operation on the tables of all sizes, alternately."""
    found: dict[int, tuple[Application, dict[str, Operation]]] = {}
    for size in sizes(plan):
        start, url = time.monotonic(), f"sqlite:///{databases.folder}/growth-{size}.db"
        wanted = operations(fill(url, size))
        found[size] = create_app(Settings(database_url=url)), wanted
        yield Step(f"{size:,} entries stored in {time.monotonic() - start:.0f} s", {})
    for name in REQUESTS:
        figures: Figures = defaultdict(list)
        numbers = count()
        for _ in range(plan.rounds):
            for size, (application, wanted) in found.items():
                figures[Figure(LATENCY, THIS, SQLITE, name, entries=size)].append(
                    _median(application, wanted[name], numbers)
                )
        yield Step(f"{name}: {_summary(figures)}", dict(figures))


def _median(application: Application, operation: Operation, numbers: Iterator[int]) -> float:
    """Return the median of a round, in microseconds."""
    taken = []
    for _ in range(REQUESTS[operation.name]):
        request = environ(operation.request(next(numbers)))
        start = time.perf_counter()
        status = call(application, request)
        taken.append((time.perf_counter() - start) * 1e6)
        if status != operation.status:
            raise RuntimeError(f"{operation.name} returned {status}")
    return statistics.median(taken)


def _summary(figures: Figures) -> str:
    return ", ".join(
        f"{spread(numbers).median:,.0f} µs of {figure.entries:,}"
        for figure, numbers in figures.items()
    )
