"""Growth: what requests take this server as the table grows, on SQLite, in one process.

In one process, since the time that gunicorn and a connection add does not grow with the table and
would hide what does. Clocks on the wall, since reading and writing files is part of it.
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
"""How many requests of a kind the median of a round is taken of."""


def sizes(plan: Plan) -> tuple[int, ...]:
    """Return how many entries there are in turn."""
    return (SIZES[0], SIZES[-1]) if plan.quick else SIZES


def seconds(plan: Plan) -> float:
    """Return about how long this takes."""
    return sum(sizes(plan)) / 40_000 + 2 * 5 * plan.rounds


def steps(plan: Plan) -> int:
    """Return how many steps there are."""
    return len(sizes(plan)) + len(REQUESTS)


def run(plan: Plan, databases: Databases) -> Steps:
    """Measure each operation on tables of all sizes, in turn."""
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
        yield Step(f"{name}: {_said(figures)}", dict(figures))


def _median(application: Application, operation: Operation, numbers: Iterator[int]) -> float:
    """Return the median of a round, in microseconds."""
    taken = []
    for _ in range(REQUESTS[operation.name]):
        request = environ(operation.request(next(numbers)))
        start = time.perf_counter()
        status = call(application, request)
        taken.append((time.perf_counter() - start) * 1e6)
        if status != operation.status:
            raise RuntimeError(f"{operation.name} was answered with {status}")
    return statistics.median(taken)


def _said(figures: Figures) -> str:
    return ", ".join(
        f"{spread(numbers).median:,.0f} µs of {figure.entries:,}"
        for figure, numbers in figures.items()
    )
