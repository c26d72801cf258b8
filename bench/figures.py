"""Figures: for everything that is measured, one number per round."""

import math
import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """The identity of a measured figure; fields that do not apply keep their defaults."""

    what: str
    contender: str
    database: str = ""
    operation: str = ""
    connections: int = 0
    entries: int = 0


Figures = dict[Figure, list[float]]
"""The numbers of all rounds, in order, by figure."""

CPU = "CPU per request, µs"
SERVER_CPU = "CPU of the server per request, µs"
RATE = "requests per second"
P50 = "p50, ms"
P99 = "p99, ms"
FAILED = "failed requests"
LATENCY = "p50 in one process, µs"
START = "start to first 200, s"
RSS = "resident memory, MiB"
PSS = "proportional memory, MiB"


class Step(NamedTuple):
    """A finished part of a section: a one-line summary, and its figures."""

    summary: str
    figures: Figures


Steps = Iterator[Step]


class Ratio(NamedTuple):
    """The median, the lowest and the highest of the rounds."""

    median: float
    lowest: float
    highest: float


def ratio(over: list[float], under: list[float]) -> Ratio:
    """Return the ratio of two figures, divided round by round."""
    return spread(
        [each / other if other else math.inf for each, other in zip(over, under, strict=True)]
    )


def spread(numbers: list[float]) -> Ratio:
    """Return the median, the lowest and the highest of some numbers."""
    return Ratio(statistics.median(numbers), min(numbers), max(numbers))


def as_json(figures: Figures) -> list[dict[str, Any]]:
    """Return figures as a list of JSON objects."""
    return [{**figure._asdict(), "rounds": numbers} for figure, numbers in figures.items()]
