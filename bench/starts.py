"""Starting: seconds from the process to the first GET of an entry that is answered with 200."""

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
    """Return about how long this takes."""
    return 4 * plan.rounds * len(plan.first)


def steps(plan: Plan) -> int:
    """Return how many steps there are."""
    return len(plan.first)


def run(plan: Plan, databases: Databases) -> Steps:
    """Start all in turn, once in each round."""
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
    """Start each, look at it, and stop it, in every round."""
    figures: Figures = defaultdict(list)
    for _ in range(rounds):
        for name, start in starts.items():
            with start() as served:
                figures[Figure(START, name, database)].append(served.seconds_to_first_200)
                then(name, served, figures)
    return Step(f"{database}: {in_words(figures)}", dict(figures))


def in_words(figures: Figures) -> str:
    """Return medians by contender, each with its unit; of memory the proportional alone."""
    said: dict[str, list[str]] = defaultdict(list)
    for figure, numbers in figures.items():
        if figure.what != RSS:
            unit = figure.what.rpartition(", ")[2]
            said[figure.contender].append(f"{spread(numbers).median:.3g} {unit}")
    return "; ".join(f"{name} {', '.join(each)}" for name, each in said.items())
