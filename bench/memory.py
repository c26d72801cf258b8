"""The section `memory`: resident (Rss) and proportional (Pss) memory of a server after requests.

It is the sum over the process group.  Rss counts a shared page in every process, while Pss divides
it among them.
"""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

from bench.databases import Databases
from bench.figures import PSS, RSS, START, Figure, Figures, Step, Steps
from bench.operations import Operation, operations
from bench.peers import Served
from bench.peers.serving import ask
from bench.plan import Plan
from bench.quiet import members
from bench.serving import contender
from bench.starts import CONTENDERS, in_words, take_turns

REQUESTS = {"GET entry": 200, "list of 100": 50}
"""The requests before the measurement, each on a new connection, so that every worker gets some."""

_LINE = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


class Memory(NamedTuple):
    """Sums over all processes of a group, in MiB."""

    resident: float
    proportional: float


def seconds(plan: Plan) -> float:
    """Return the estimated duration."""
    return 6 * plan.few * len(plan.first)


def steps(plan: Plan) -> int:
    """Return the number of steps."""
    return len(plan.first)


def run(plan: Plan, databases: Databases) -> Steps:
    """Start and measure the contenders, one after another."""
    wanted = operations(databases.layout)
    first = wanted["GET entry"].request(0)
    for database in plan.first:
        url = databases.url(database)
        step = take_turns(
            database,
            plan.few,
            {name: partial(contender, name, url, first, databases.folder) for name in CONTENDERS},
            after_requests(database, wanted),
        )
        figures = {
            figure: numbers for figure, numbers in step.figures.items() if figure.what != START
        }
        yield Step(f"{database}: {in_words(figures)}", figures)


def after_requests(database: str, wanted: dict[str, Operation]) -> Callable[..., None]:
    """Return a function that makes requests to a server and adds its memory to the figures."""

    def add(name: str, served: Served, figures: Figures) -> None:
        with ThreadPoolExecutor(4) as pool:
            for operation, requests in REQUESTS.items():
                list(
                    pool.map(
                        lambda number, made=wanted[operation]: ask(
                            served.url, made.request(number), served.headers
                        ),
                        range(requests),
                    )
                )
        memory = of_group(served.pid)
        figures[Figure(RSS, name, database)].append(memory.resident)
        figures[Figure(PSS, name, database)].append(memory.proportional)

    return add


def of_group(group: int) -> Memory:
    """Return the memory of a process group."""
    sums = {"Rss": 0, "Pss": 0}
    for folder in members(group):
        try:
            lines = (folder / "smaps_rollup").read_text()
        except OSError:  # the process has ended
            continue
        for name, kilobytes in _LINE.findall(lines):
            sums[name] += int(kilobytes)
    return Memory(sums["Rss"] / 1024, sums["Pss"] / 1024)
