"""Ratios compare the same round, bars have a direction, and missing figures have a reason."""

import re
from collections.abc import Iterator

import pytest

from bench.__main__ import Run, Section
from bench.bars import Bar, bars
from bench.beside_peers import AS, BARRED
from bench.databases import Databases
from bench.figures import FAILED, PSS, RATE, START, Figure, Step, ratio
from bench.peers import named
from bench.plan import POSTGRESQL, SQLITE, Plan
from bench.report import details, table
from bench.runs import CONTENDERS, REQUESTS
from bench.served import BARS, CONNECTIONS, turns

OURS = Figure(RATE, "this", SQLITE, "GET entry", 8)
THEIRS = Figure(RATE, "bare", SQLITE, "GET entry", 8)


def test_ratio_is_the_median_over_rounds() -> None:
    assert ratio([10, 1, 9], [1, 10, 9]) == (1, 0.1, 10)


def test_ratio_to_zero_is_infinite() -> None:
    assert ratio([5], [0]).median == float("inf")


@pytest.mark.parametrize(
    ("bar", "met"),
    [
        (Bar("", "", OURS, THEIRS, least=2), True),
        (Bar("", "", OURS, THEIRS, least=2.1), False),
        (Bar("", "", OURS, THEIRS, most=2), True),
        (Bar("", "", OURS, THEIRS, most=1.9), False),
    ],
    ids=["at the minimum", "below the minimum", "at the maximum", "above the maximum"],
)
def test_bar_is_a_minimum_or_a_maximum(bar: Bar, met: bool) -> None:
    measured = bar.measured({OURS: [20, 2, 300], THEIRS: [10, 2, 10]})
    assert measured is not None
    assert bar.is_met(measured) is met


def test_one_failed_request_misses_the_bar() -> None:
    bar = Bar("", "", Figure(FAILED, "this"), most=0)
    measured = bar.measured({Figure(FAILED, "this"): [0, 0, 1]})
    assert measured is not None
    assert not bar.is_met(measured)


def test_every_bar_has_one_direction() -> None:
    assert all((bar.most is None) != (bar.least is None) for bar in bars())


def test_served_bars_compare_figures_of_the_same_rounds() -> None:
    for bar in (bar for bar in bars() if bar.section == "served"):
        taking_part = list(turns(bar.over.operation, CONNECTIONS[0]))
        for figure in filter(None, (bar.over, bar.under)):
            assert (figure.contender, figure.connections) in taking_part
            assert figure.operation in BARS


def test_bars_for_runs_compare_measured_operations() -> None:
    for bar in (bar for bar in bars() if bar.section == "runs"):
        for figure in filter(None, (bar.over, bar.under)):
            assert figure.contender in CONTENDERS.values()
            assert figure.operation in REQUESTS


@pytest.mark.parametrize("name", AS)
def test_airflow_bars_compare_measured_figures(name: str) -> None:
    theirs, ours, _ = AS[name]
    for bar in (bar for bar in bars() if bar.section == name):
        assert bar.under is not None
        assert (bar.over.contender, bar.under.contender) == (ours, theirs)
        assert bar.over.what in (START, PSS) or bar.over.operation in BARRED


def test_airflow_peers_are_labeled_with_their_versions(databases: Databases) -> None:
    assert {name: theirs for name, (theirs, *_) in AS.items()} == {
        name: f"Airflow {named(name, databases.folder).version}" for name in AS
    }


def test_table_shows_figures_or_why_they_are_missing() -> None:
    shown = table({OURS: [90, 80, 99], THEIRS: [100, 100, 100]}, {"growth": "the disk is full"})
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in shown.splitlines()]
    verdicts = {what: rest for what, *rest in lines}
    assert verdicts["requests/s at 8, sqlite: GET entry, this ÷ bare"] == [
        "0.9 (0.8 to 0.99)",
        "≥ 0.85",
        "met",
    ]
    assert verdicts["GET entry: p50 at 1,000,000 entries ÷ at 1,000"] == [
        "",
        "≤ 1.2",
        "not measured: the disk is full",
    ]
    assert verdicts["256 connections, postgresql: failed requests"] == [
        "",
        "≤ 0",
        "not measured: not selected",
    ]


def test_details_show_medians_by_contender() -> None:
    assert details(
        {Figure(START, "this", SQLITE): [1.5, 1.25, 9], Figure(START, "bare", POSTGRESQL): [0.5]}
    ).splitlines()[2:] == [
        "|      | sqlite | postgresql |",
        "| ---- | ------ | ---------- |",
        "| this | 1.5    |            |",
        "| bare |        | 0.5        |",
    ]


def test_failed_section_does_not_affect_the_others(databases: Databases) -> None:
    def fails(databases: Databases) -> Iterator[Step]:
        yield Step("began", {Figure(START, "bare", SQLITE): [0.5]})
        raise RuntimeError(f"{databases.folder} is full\nand more")

    def works(databases: Databases) -> Iterator[Step]:
        yield Step("did", {Figure(START, "this", SQLITE): [1.5]})

    run = Run([Section("served", 1, 2, fails), Section("starts", 1, 1, works)], databases.folder)
    run.measure(databases)

    why = re.search("not measured: (.* is full) *[|]", run.report())
    assert why is not None
    assert why[1].startswith("…/")
    assert "| this | 1.5    |" in (databases.folder / "table.md").read_text()
    assert "| floor" not in run.report()
    assert {each.name for each in databases.folder.glob("*.json")} == {"served.json", "starts.json"}


@pytest.fixture
def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Return databases that are never started, with an existing folder."""
    return Databases(tmp_path_factory.mktemp("bench"), Plan().entries)
