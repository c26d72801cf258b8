"""Under faults no acknowledged entry is lost, and all responses are linearizable.

`make faults` does the same for minutes. Servers with a known bug show that the checks can fail.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.broken_server import broken_server
from tests.faults.campaign import Verdict, campaign, judge, served
from tests.faults.nemesis import schedule
from tests.faults.races import TRIGGERS, race
from tests.faults.speed import CONNECTIONS, figures
from tests.faults.workload import Workload
from tests.support.waiting import until

KILLS = {"sqlite": 4, "postgres": 3}
"""The kills of a short run, which also has one of each other fault."""

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="finds processes in /proc"),
]

SECONDS = 180
"""When a run is given up; it takes about 15 s where nothing else runs."""

WRITES = 50
"""The least number of acknowledged writes in a run."""


@pytest.mark.parametrize("database", list(KILLS))
def test_acknowledged_writes_survive_faults(
    database: str, tmp_path: Path, count_case: Callable[..., None]
) -> None:
    faults = schedule("short", database, KILLS[database])

    report = campaign(
        database, tmp_path, seed="short", faults=faults, seconds=SECONDS, clients=4, writes=WRITES
    )

    assert report.findings() == [], report.figures()
    assert len(report.struck) == len(faults)
    assert report.verdict.checked > report.tally.acknowledged >= WRITES
    for kind, count in {
        "operations checked": report.verdict.checked,
        "acknowledged writes": report.tally.acknowledged,
        "kills": sum(each.fault.kind.startswith("kill") for each in report.struck),
        "other faults": sum(not each.fault.kind.startswith("kill") for each in report.struck),
        "acknowledged entries lost": len(report.verdict.lost),
    }.items():
        count_case(f"faults on {database}: {kind}", count)


def verdict_with_bug(bug: str, folder: Path) -> Verdict:
    """Return the verdict of a short run without faults on a server with a bug."""
    with broken_server(bug) as url:
        with Workload(url, folder, seed="broken", clients=6) as work:
            until(lambda: work.look().operations > 1200, 60)
        return judge(work.history())


def test_server_without_a_bug_passes(tmp_path: Path) -> None:
    verdict = verdict_with_bug("in order", tmp_path)

    assert verdict.checked > 1200
    assert verdict == Verdict(verdict.checked)


def test_lost_writes_are_detected(tmp_path: Path) -> None:
    verdict = verdict_with_bug("forgets", tmp_path)

    assert verdict.lost
    assert verdict.not_linearizable


@pytest.mark.parametrize("bug", ["overwrites", "keeps", "ignores", "lags"])
def test_non_linearizable_server_is_detected(tmp_path: Path, bug: str) -> None:
    verdict = verdict_with_bug(bug, tmp_path)

    assert verdict.not_linearizable


RUNS = 20
"""The number of runs that clients race for in a short run."""


@pytest.mark.parametrize("database", list(KILLS))
def test_one_of_several_triggers_wins_and_states_never_go_back(
    database: str, tmp_path: Path, count_case: Callable[..., None]
) -> None:
    with served(database, tmp_path) as (server, _):
        raced = race(server.url, RUNS)

    assert raced.found == []
    assert raced.triggers == {"ok": RUNS, "fail": RUNS * (TRIGGERS - 1)}
    count_case(f"races on {database}: polls checked", sum(raced.shown.values()))


def test_race_on_a_server_without_a_bug_passes() -> None:
    with broken_server("in order") as url:
        raced = race(url, RUNS)

    assert raced.found == []


@pytest.mark.parametrize(
    ("bug", "found"),
    [
        ("repeats", "two triggers succeeded"),
        ("hides", "not found after it was triggered"),
        ("returns", "no later state"),
        ("skips", "a state before it was not shown"),
        ("stays", "no later state"),
    ],
)
def test_server_that_breaks_the_rules_of_runs_is_detected(bug: str, found: str) -> None:
    with broken_server(bug) as url:
        raced = race(url, RUNS)

    assert found in " ".join(raced.found)


def test_speed_figures_are_measured(tmp_path: Path) -> None:
    writers, shares = figures(tmp_path / "speed", writers=2, seconds=0.2, rounds=1)

    assert re.match(r"2 processes that write .* the slowest write took [0-9.]+ s; [1-9]", writers)
    assert re.match(rf"of {CONNECTIONS} connections the busier of two workers has,.*: \d+$", shares)
