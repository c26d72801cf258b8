"""Memory of a server's whole process group, after requests: resident, and its share of it (Pss).

What processes share counts in each one's resident memory, and is divided among them in Pss.
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
"""What is asked before, on connections of their own, so that every worker gets some."""

_LINE = re.compile(r"^(Rss|Pss): +(\d+) kB$", re.MULTILINE)


class Memory(NamedTuple):
    """Sums over all processes of a group, in MiB."""

    resident: float
    proportional: float


def seconds(plan: Plan) -> float:
    """Return about how long this takes."""
    return 6 * plan.few * len(plan.first)


def steps(plan: Plan) -> int:
    """Return how many steps there are."""
    return len(plan.first)


def run(plan: Plan, databases: Databases) -> Steps:
    """Measure all in turn, each after a start of its own."""
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
    """Return what makes requests, and adds what a server then takes to figures."""

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
    """Return what the processes of a group take together."""
    sums = {"Rss": 0, "Pss": 0}
    for folder in members(group):
        try:
            lines = (folder / "smaps_rollup").read_text()
        except OSError:  # it ended meanwhile
            continue
        for name, kilobytes in _LINE.findall(lines):
            sums[name] += int(kilobytes)
    return Memory(sums["Rss"] / 1024, sums["Pss"] / 1024)
