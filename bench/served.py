"""The section `served`: requests through gunicorn, sent by wrk to the contenders alternately."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from bench import serving, wrk
from bench.contenders import MARSHMALLOW, THIS
from bench.data import Layout
from bench.databases import Databases, remove_new
from bench.figures import FAILED, P50, P99, RATE, Figure, Figures, Step, Steps, spread
from bench.operations import Operation, operations
from bench.peers import Served
from bench.plan import Plan
from bench.quiet import until_quiet

CONNECTIONS = (8, 1, 32)
"""The numbers of connections.  The bars are for the first; the others get half as many rounds."""

MANY = 256
"""A number of connections for this server only, compared with itself at CONNECTIONS[0]."""

BARS = ("GET entry", "list of 100")
"""The operations with bars, which a quick run measures."""

_numbers = itertools.count()


@dataclass(frozen=True)
class Side:
    """One participant of a comparison, with the parameters of its run of wrk."""

    contender: str
    served: Served
    operations: dict[str, Operation]
    connections: int
    seconds: int
    database_url: str


def seconds(plan: Plan) -> float:
    """Return the estimated duration."""
    return sum(
        (plan.seconds + 0.5) * 3.3 * rounds for _ in plan.databases for *_, rounds in _kinds(plan)
    )


def steps(plan: Plan) -> int:
    """Return the number of steps."""
    return len(plan.databases) * len(list(_kinds(plan)))


def run(plan: Plan, databases: Databases) -> Steps:
    """Measure every operation on each database."""
    if not wrk.is_installed():
        raise RuntimeError(wrk.MISSING)
    for database in plan.databases:
        url = databases.url(database)
        wanted = operations(databases.layout)
        with _contenders(databases, url) as found:
            for contender, each in found.items():
                warm_up = Side(contender, each, wanted, CONNECTIONS[0], 1, url)
                drive(warm_up, "GET entry")
            for connections, name, rounds in _kinds(plan):
                sides = [
                    Side(contender, found[contender], wanted, each, plan.seconds, url)
                    for contender, each in turns(name, connections)
                ]
                yield compare(name, sides, database, rounds)


def _kinds(plan: Plan) -> Iterator[tuple[int, str, int]]:
    """Yield the measurements: number of connections, operation, number of rounds."""
    names = BARS if plan.quick else tuple(operations(Layout(plan.entries)))
    for connections in CONNECTIONS[:1] if plan.quick else CONNECTIONS:
        rounds = plan.rounds if connections == CONNECTIONS[0] else max(1, plan.rounds // 2)
        for name in names:
            yield connections, name, rounds


@contextmanager
def _contenders(databases: Databases, url: str) -> Iterator[dict[str, Served]]:
    """Start all contenders and yield them by label."""
    first = operations(databases.layout)["GET entry"].request(0)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(serving.contender(name, url, first, databases.folder))
            for name in (THIS, *serving.APPLICATIONS)
        }


def turns(name: str, connections: int) -> Iterator[tuple[str, int]]:
    """Yield the contenders for an operation, with their number of connections."""
    barred = name in BARS and connections == CONNECTIONS[0]
    for contender in (THIS, *serving.APPLICATIONS):
        if contender != MARSHMALLOW or (barred and name == BARS[1]):
            yield contender, connections
    if barred and name == BARS[0]:
        yield THIS, MANY


def compare(name: str, sides: Sequence[Side], database: str, rounds: int) -> Step:
    """Measure one operation on all sides alternately; each round begins with another side."""
    figures: Figures = defaultdict(list)
    for round_ in range(rounds):
        for side in [*sides[round_ % len(sides) :], *sides[: round_ % len(sides)]]:
            done = drive(side, name)
            for what, number in (
                (RATE, done.requests_per_second),
                (P50, done.p50),
                (P99, done.p99),
                (FAILED, done.failed),
            ):
                figures[Figure(what, side.contender, database, name, side.connections)].append(
                    number
                )
    return Step(f"{database}, {name}: {_summary(figures)}", dict(figures))


def drive(side: Side, name: str) -> wrk.Run:
    """Send requests of one operation to one side, and delete the entries that they create."""
    script = wrk.script(
        side.operations[name],
        side.served.url,
        side.served.headers,
        _numbers,
        made_by=side.operations["POST"] if name == "DELETE" else None,
    )
    done = wrk.drive(side.served.url, script, side.connections, side.seconds)
    until_quiet(side.served.pid, side.database_url)
    if name in ("POST", "DELETE"):
        remove_new(side.database_url)
    return done


def _summary(figures: Figures) -> str:
    said = []
    for figure, numbers in figures.items():
        if figure.what == RATE:
            failed = sum(figures[figure._replace(what=FAILED)])
            said.append(
                f"{figure.contender} {spread(numbers).median:,.0f}/s over"
                f" {figure.connections}" + (f" ({failed:.0f} failed)" if failed else "")
            )
    return ", ".join(said)
