"""Figures: of everything that is measured, one number for each round in which all took turns."""

import math
import statistics
from collections.abc import Iterator
from typing import Any, NamedTuple


class Figure(NamedTuple):
    """What a number is about; what does not apply is left out."""

    what: str
    contender: str
    database: str = ""
    operation: str = ""
    connections: int = 0
    entries: int = 0


Figures = dict[Figure, list[float]]
"""The numbers of all rounds, in their order."""

CPU = "CPU per request, µs"
RATE = "requests per second"
P50 = "p50, ms"
P99 = "p99, ms"
FAILED = "failed requests"
LATENCY = "p50 in one process, µs"
START = "start to first 200, s"
RSS = "resident memory, MiB"
PSS = "proportional memory, MiB"


class Step(NamedTuple):
    """A part of a section that is done: what it was, in a line, and what it measured."""

    said: str
    figures: Figures


Steps = Iterator[Step]


class Ratio(NamedTuple):
    """The median of the ratios of all rounds, and between which they were."""

    median: float
    lowest: float
    highest: float


def ratio(over: list[float], under: list[float]) -> Ratio:
    """Compare what was measured in the same rounds."""
    return spread(
        [each / other if other else math.inf for each, other in zip(over, under, strict=True)]
    )


def spread(numbers: list[float]) -> Ratio:
    """Return the median of the rounds' numbers, and between which they were."""
    return Ratio(statistics.median(numbers), min(numbers), max(numbers))


def as_json(figures: Figures) -> list[dict[str, Any]]:
    """Return figures as a list of objects."""
    return [{**figure._asdict(), "rounds": numbers} for figure, numbers in figures.items()]
