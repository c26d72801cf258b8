"""A pytest plugin: counts of cases and figures, printed at the end of a run."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

CASES = pytest.StashKey[Counter[str]]()
FIGURES = pytest.StashKey[dict[str, float]]()


@pytest.fixture(scope="session")
def count_case(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Return a function that adds to the count of a kind of case."""
    counter = request.config.stash.setdefault(CASES, Counter())

    def count(kind: str, cases: int = 1) -> None:
        counter[kind] += cases

    return count


@pytest.fixture(scope="session")
def figure(request: pytest.FixtureRequest) -> Callable[[str, float], None]:
    """Return a function that records a figure; the maximum of each name is printed."""

    def keep(name: str, value: float) -> None:
        _keep_figures(request.config, {name: value})

    return keep


def _keep_figures(config: pytest.Config, figures: dict[str, float]) -> None:
    kept = config.stash.setdefault(FIGURES, {})
    kept.update({name: max(value, kept.get(name, value)) for name, value in figures.items()})


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Send a worker's counts and figures to the process that prints them."""
    if hasattr(session.config, "workeroutput"):
        stash = session.config.stash
        cases = stash.setdefault(CASES, Counter())
        session.config.workeroutput["cases"] = dict(cases)
        session.config.workeroutput["figures"] = stash.get(FIGURES, {})


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(CASES, Counter()).update(output.get("cases", {}))
    _keep_figures(node.config, output.get("figures", {}))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if counter := config.stash.get(CASES, Counter[str]()):
        terminalreporter.section("cases")
        for kind, cases in sorted(counter.items()):
            terminalreporter.write_line(f"{cases:6} {kind}")
    if figures := config.stash.get(FIGURES, {}):
        terminalreporter.section("figures")
        for name, value in sorted(figures.items()):
            terminalreporter.write_line(f"{value:10.5g} {name}")
