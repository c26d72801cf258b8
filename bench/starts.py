"""The section `starts`: seconds from the start of the process to the first GET that returns 200."""

from collections import defaultdict
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from bench.contenders import BARE, FLOOR, THIS
from bench.databases import Databases
from bench.figures import RSS, START, Figure, Figures, Step, Steps, spread
from bench.operations import operations
from bench.peers import Served
from bench.plan import Plan
from bench.serving import contender

Start = Callable[[], AbstractContextManager[Served]]

CONTENDERS = (THIS, BARE, FLOOR)


def seconds(plan: Plan) -> float:
    """Return the estimated duration."""
    return 4 * plan.rounds * len(plan.first)


def steps(plan: Plan) -> int:
    """Return the number of steps."""
    return len(plan.first)


def run(plan: Plan, databases: Databases) -> Steps:
    """Start every contender once in each round."""
    first = operations(databases.layout)["GET entry"].request(0)
    for database in plan.first:
        url = databases.url(database)
        yield take_turns(
            database,
            plan.rounds,
            {name: partial(contender, name, url, first, databases.folder) for name in CONTENDERS},
        )


def take_turns(
    database: str,
    rounds: int,
    starts: dict[str, Start],
    then: Callable[[str, Served, Figures], None] = lambda *_: None,
) -> Step:
    """In every round, start each server, call `then` with it, and stop it."""
    figures: Figures = defaultdict(list)
    for _ in range(rounds):
        for name, start in starts.items():
            with start() as served:
                figures[Figure(START, name, database)].append(served.seconds_to_first_200)
                then(name, served, figures)
    return Step(f"{database}: {in_words(figures)}", dict(figures))


def in_words(figures: Figures) -> str:
    """Return medians by contender, each with its unit, as text; resident memory is omitted."""
    said: dict[str, list[str]] = defaultdict(list)
    for figure, numbers in figures.items():
        if figure.what != RSS:
            unit = figure.what.rpartition(", ")[2]
            said[figure.contender].append(f"{spread(numbers).median:.3g} {unit}")
    return "; ".join(f"{name} {', '.join(each)}" for name, each in said.items())
