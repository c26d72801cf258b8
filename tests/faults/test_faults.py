"""Whatever is killed, paused or full: no acknowledged entry is lost, and reads make sense.

`make faults` runs the same for minutes. What the short runs here cannot show is that their checks
can fail; the broken servers show it.
"""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.broken_server import broken_server
from tests.faults.campaign import Verdict, campaign, judge
from tests.faults.nemesis import schedule
from tests.faults.speed import CONNECTIONS, figures
from tests.faults.workload import Workload
from tests.support.waiting import until

KILLED = {"sqlite": 4, "postgres": 3}
"""How many kills a short run has; there is one of each other fault too."""

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are told by /proc"),
]

SECONDS = 180
"""When a run is given up; it takes about 15 s where nothing else runs."""

WRITES = 50
"""How many writes are acknowledged in a run at the least."""


@pytest.mark.parametrize("database", list(KILLED))
def test_nothing_acknowledged_is_lost_whatever_is_killed(
    database: str, tmp_path: Path, count_case: Callable[..., None]
) -> None:
    faults = schedule("short", database, KILLED[database])

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


def verdict_on(way: str, folder: Path) -> Verdict:
    """Return what a short run without faults finds on a server that is broken in this way."""
    with broken_server(way) as url:
        with Workload(url, folder, seed="broken", clients=6) as work:
            until(lambda: work.look().operations > 1200, 60)
        return judge(work.history())


def test_a_server_in_order_passes(tmp_path: Path) -> None:
    verdict = verdict_on("in order", tmp_path)

    assert verdict.checked > 1200
    assert verdict == Verdict(verdict.checked)


def test_a_server_that_forgets_writes_is_caught(tmp_path: Path) -> None:
    verdict = verdict_on("forgets", tmp_path)

    assert verdict.lost
    assert verdict.not_linearizable


@pytest.mark.parametrize("way", ["overwrites", "keeps", "ignores", "lags"])
def test_a_server_that_breaks_its_word_is_caught(tmp_path: Path, way: str) -> None:
    verdict = verdict_on(way, tmp_path)

    assert verdict.not_linearizable


def test_figures_on_speed_are_measured(tmp_path: Path) -> None:
    writers, shares = figures(tmp_path / "speed", writers=2, seconds=0.2, rounds=1)

    assert re.match(r"2 processes that write .* the slowest write took [0-9.]+ s; [1-9]", writers)
    assert re.match(rf"of {CONNECTIONS} connections the busier of two workers has,.*: \d+$", shares)
