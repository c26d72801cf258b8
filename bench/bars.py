"""The target figures, as data: a figure or a ratio of two, and the bar that it must reach."""

from dataclasses import dataclass

from bench.contenders import AIRFLOW2, AIRFLOW3, BARE, BASIC, BEARER, CHECKED, MARSHMALLOW, THIS
from bench.figures import (
    CPU,
    FAILED,
    LATENCY,
    PSS,
    RATE,
    SERVER_CPU,
    START,
    Figure,
    Figures,
    Ratio,
    ratio,
    spread,
)
from bench.growth import SIZES
from bench.plan import POSTGRESQL, SQLITE
from bench.runs import CONTENDERS
from bench.served import CONNECTIONS, MANY


@dataclass(frozen=True)
class Bar:
    """A bar for the median of the ratio `over` to `under`, by rounds.

    Without `under`, the bar is for the figure `over` in every round.
    """

    what: str
    section: str
    """The section that measures it."""

    over: Figure
    under: Figure | None = None
    most: float | None = None
    least: float | None = None

    def measured(self, figures: Figures) -> Ratio | None:
        """Return the measured ratio, None if it was not measured."""
        if self.over not in figures or (self.under and self.under not in figures):
            return None
        if self.under is None:
            return spread(figures[self.over])
        return ratio(figures[self.over], figures[self.under])

    def is_met(self, measured: Ratio) -> bool:
        """Return whether a measured ratio reaches the bar."""
        number = measured.median if self.under else measured.highest
        return (self.most is None or number <= self.most) and (
            self.least is None or number >= self.least
        )

    def __str__(self) -> str:
        return f"≤ {self.most:g}" if self.most is not None else f"≥ {self.least:g}"


def bars() -> list[Bar]:
    """Return all bars, in the order of the table."""
    both = (SQLITE, POSTGRESQL)
    return [
        *(bar for database in both for bar in _in_process(database)),
        *(bar for database in both for bar in _served(database)),
        *_many_connections(),
        *(bar for database in both for bar in _runs(database)),
        *_growth(),
        *_beside_airflow2(),
        *_beside_airflow3(),
    ]


def _in_process(database: str) -> list[Bar]:
    def cpu(contender: str, operation: str) -> Figure:
        return Figure(CPU, contender, database, operation)

    where = f"CPU, responses checked, {database}"
    return [
        Bar(
            f"{where}: GET entry, this ÷ bare",
            "in-process",
            cpu(CHECKED, "GET entry"),
            cpu(BARE, "GET entry"),
            most=1.35,
        ),
        Bar(
            f"{where}: list of 100, this ÷ bare with marshmallow",
            "in-process",
            cpu(CHECKED, "list of 100"),
            cpu(MARSHMALLOW, "list of 100"),
            most=0.45,
        ),
    ]


def _rate(contender: str, database: str, operation: str, connections: int = 0) -> Figure:
    return Figure(RATE, contender, database, operation, connections or CONNECTIONS[0])


def _served(database: str) -> list[Bar]:
    return [
        Bar(
            f"requests/s at 8, {database}: {operation}, this ÷ {other}",
            "served",
            _rate(THIS, database, operation),
            _rate(other, database, operation),
            least=least,
        )
        for operation, other, least in (
            ("GET entry", BARE, 0.85),
            ("list of 100", BARE, 2),
            ("list of 100", MARSHMALLOW, 2),
        )
    ]


def _many_connections() -> list[Bar]:
    return [
        bar
        for database in (SQLITE, POSTGRESQL)
        for bar in (
            Bar(
                f"256 connections, {database}: failed requests",
                "served",
                Figure(FAILED, THIS, database, "GET entry", MANY),
                most=0,
            ),
            Bar(
                f"256 connections, {database}: requests/s ÷ those at 8",
                "served",
                _rate(THIS, database, "GET entry", MANY),
                _rate(THIS, database, "GET entry"),
                least=0.8,
            ),
        )
    ]


def _runs(database: str) -> list[Bar]:
    return [
        Bar(
            f"CPU, {contender}, {database}: {over} ÷ {under}",
            "runs",
            Figure(SERVER_CPU, contender, database, over),
            Figure(SERVER_CPU, contender, database, under),
            most=most,
        )
        for contender in CONTENDERS.values()
        for over, under, most in (
            ("GET run", "GET entry", 1.3),
            ("list of 100 runs", "list of 100", 1.5),
        )
    ]


def _growth() -> list[Bar]:
    def p50(operation: str, entries: int) -> Figure:
        return Figure(LATENCY, THIS, SQLITE, operation, entries=entries)

    return [
        Bar(
            f"{said}: p50 at 1,000,000 entries ÷ at 1,000",
            "growth",
            p50(operation, SIZES[-1]),
            p50(operation, SIZES[0]),
            most=most,
        )
        for operation, said, most in (
            ("GET entry", "GET entry", 1.2),
            ("list of 100", "first page of one task", 1.3),
        )
    ]


def _beside(theirs: str, ours: str, section: str, promised: dict[str, float]) -> list[Bar]:
    said = {"list of all, deep": "list of all from 90,000 on"}
    return [
        Bar(
            f"requests/s at 8: {said.get(operation, operation)}, {ours} ÷ {theirs}",
            section,
            _rate(ours, POSTGRESQL, operation),
            _rate(theirs, POSTGRESQL, operation),
            least=least,
        )
        for operation, least in promised.items()
    ]


def _beside_airflow2() -> list[Bar]:
    return [
        *_beside(
            AIRFLOW2,
            BASIC,
            "airflow2",
            {"GET entry": 60, "list of 100": 40, "list of all, deep": 20},
        ),
        Bar(
            f"start to first 200: {BASIC} ÷ {AIRFLOW2}'s webserver",
            "airflow2",
            Figure(START, BASIC, POSTGRESQL),
            Figure(START, AIRFLOW2, POSTGRESQL),
            most=0.1,
        ),
    ]


def _beside_airflow3() -> list[Bar]:
    return [
        *_beside(
            AIRFLOW3,
            BEARER,
            "airflow3",
            {"GET entry": 12, "list of 100": 15, "POST": 10, "PATCH": 10, "list of all, deep": 20},
        ),
        Bar(
            f"proportional memory: {BEARER} ÷ {AIRFLOW3}'s api-server",
            "airflow3",
            Figure(PSS, BEARER, POSTGRESQL),
            Figure(PSS, AIRFLOW3, POSTGRESQL),
            most=0.15,
        ),
    ]
