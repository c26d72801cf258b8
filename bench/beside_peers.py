"""The section `peers`: a real Airflow and this server on one PostgreSQL, both with a user."""

from collections.abc import Iterator
from contextlib import contextmanager

from bench import serving, wrk
from bench.contenders import AIRFLOW2, AIRFLOW3, BASIC, BEARER
from bench.databases import Databases
from bench.figures import Step, Steps
from bench.memory import after_requests
from bench.operations import V1, V2, operations
from bench.peers import PostgresServer, Served, named
from bench.plan import POSTGRESQL, Plan
from bench.served import CONNECTIONS, Side, compare
from bench.starts import take_turns

AS = {"airflow2": (AIRFLOW2, BASIC, V1), "airflow3": (AIRFLOW3, BEARER, V2)}
"""By peer: its label, the label of this server beside it, and the API version of both."""

BARRED = ("GET entry", "list of 100", "list of all, deep", "POST", "PATCH")
"""The operations with bars, which a quick run measures."""

OURS, THEIRS = 3, 10
"""Factors for the duration of a run of wrk: a peer may serve only five requests a second."""


def seconds(name: str, plan: Plan) -> float:
    """Return the estimated duration for one peer."""
    each = (OURS + THEIRS + 2) * plan.seconds * plan.rounds
    return 120 + 40 * plan.few + (steps(name, plan) - 3) * each


def steps(name: str, plan: Plan) -> int:
    """Return the number of steps."""
    return 3 + {"airflow2": 3 if plan.quick else 4, "airflow3": 5 if plan.quick else 7}[name]


def run(name: str, plan: Plan, databases: Databases) -> Steps:
    """Install a peer, and measure it and this server alternately."""
    if not wrk.is_installed():
        raise RuntimeError(wrk.MISSING)
    theirs, ours, base = AS[name]
    peer = named(name, databases.folder)
    peer.install()
    yield Step(f"{theirs} is installed", {})
    peer.prepare(PostgresServer("127.0.0.1", databases.postgres().port), plan.entries)
    databases.url(POSTGRESQL)
    yield Step(f"{theirs} and this server have {plan.entries:,} entries", {})
    wanted = operations(databases.layout, base)
    yield take_turns(
        POSTGRESQL,
        plan.few,
        {ours: lambda: _this(databases, base), theirs: peer.serve},
        after_requests(POSTGRESQL, wanted),
    )
    with _this(databases, base) as this, peer.serve() as it:
        sides = [
            Side(
                ours, this, wanted, CONNECTIONS[0], plan.seconds * OURS, databases.url(POSTGRESQL)
            ),
            Side(
                theirs,
                it,
                wanted,
                CONNECTIONS[0],
                plan.seconds * THEIRS,
                databases.url_of(peer.name),
            ),
        ]
        for each in peer.operations():
            if each in BARRED or not plan.quick:
                yield compare(each, sides, POSTGRESQL, plan.rounds)


@contextmanager
def _this(databases: Databases, base: str) -> Iterator[Served]:
    first = operations(databases.layout)["GET entry"].request(0)
    with serving.this(
        databases.url(POSTGRESQL), first, databases.folder / "with-users", users=True
    ) as served:
        yield serving.with_token(served) if base == V2 else served
