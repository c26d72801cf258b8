"""The section `in-process`: CPU time per request in one process, on each database."""

from itertools import groupby
from operator import attrgetter

from bench import in_process
from bench.databases import Databases, remove_new
from bench.figures import CPU, Figure, Step, Steps, spread
from bench.plan import Plan
from bench.served import BARS

_TIMES = 2
"""The factor for the number of rounds, because a round is short here."""


def seconds(plan: Plan) -> float:
    """Return the estimated duration."""
    return len(plan.databases) * plan.rounds * _TIMES * (1 if plan.quick else 5)


def steps(plan: Plan) -> int:
    """Return the number of steps."""
    return len(plan.databases) * len(_names(plan))


def run(plan: Plan, databases: Databases) -> Steps:
    """Measure every operation on each database."""
    for database in plan.databases:
        url = databases.url(database)
        measured = in_process.measure(url, databases.layout, plan.rounds * _TIMES, _names(plan))
        for name, of_all in groupby(measured, attrgetter("operation")):
            figures = {
                Figure(CPU, each.contender, database, name): each.microseconds for each in of_all
            }
            said = ", ".join(
                f"{figure.contender} {spread(numbers).median:,.0f} µs"
                for figure, numbers in figures.items()
            )
            yield Step(f"{database}, {name}: {said}", figures)
        remove_new(url)


def _names(plan: Plan) -> tuple[str, ...]:
    return BARS if plan.quick else tuple(in_process.REQUESTS)
