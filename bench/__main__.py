"""`python -m bench`: compare the speed of this server with bare stacks and with Airflow.

Each section writes its results to bench/results: table.md, a JSON file, growth.png.
"""

import argparse
import json
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from bench import beside_peers, growth, memory, one_process, report, runs, served, starts
from bench.databases import Databases
from bench.figures import Figures, Steps, as_json
from bench.machine import in_words, machine
from bench.peers import NAMES
from bench.plan import POSTGRESQL, SECTIONS, SQLITE, Plan

RESULTS = Path(__file__).with_name("results")


class Section(NamedTuple):
    """A part of the benchmark: its name, estimated duration, number of steps and function."""

    name: str
    seconds: float
    steps: int
    run: Callable[[Databases], Steps]


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="two minutes: few rounds, only operations with bars")
    add(
        "--peer",
        action="append",
        choices=NAMES,
        default=[],
        help="also measure this Airflow; may be repeated",
    )
    add(
        "--database",
        action="append",
        choices=[SQLITE, POSTGRESQL],
        default=[],
        help="measure only this database; default: both",
    )
    add(
        "--rounds",
        type=int,
        help="number of rounds; each measures all contenders (default 5; with --quick 2)",
    )
    add("--seconds", type=int, default=1, help="duration of each run of wrk")
    add(
        "--only",
        type=lambda text: text.split(","),
        default=list(SECTIONS),
        help=f"comma-separated sections to run, from: {','.join(SECTIONS)}",
    )
    add("--output", type=Path, default=RESULTS, help="the folder for the results")
    given = parser.parse_args()
    if unknown := set(given.only) - set(SECTIONS):
        parser.error(f"--only: {','.join(sorted(unknown))} is not one of {','.join(SECTIONS)}")
    return given


def plan(given: argparse.Namespace) -> Plan:
    """Return the plan for the options of the command line."""
    return Plan(
        rounds=given.rounds or (2 if given.quick else 5),
        seconds=given.seconds,
        quick=given.quick,
        databases=tuple(given.database) or (SQLITE, POSTGRESQL),
        peers=tuple(dict.fromkeys(given.peer)),
    )


def sections(wanted: Plan, only: list[str]) -> list[Section]:
    """Return the sections to run, in order."""
    own = {
        "in-process": one_process,
        "served": served,
        "runs": runs,
        "growth": growth,
        "starts": starts,
        "memory": memory,
    }
    found = [
        Section(name, each.seconds(wanted), each.steps(wanted), partial(each.run, wanted))
        for name, each in own.items()
        if name in only
    ]
    if "peers" in only:
        found += [
            Section(
                peer,
                beside_peers.seconds(peer, wanted),
                beside_peers.steps(peer, wanted),
                partial(beside_peers.run, peer, wanted),
            )
            for peer in wanted.peers
        ]
    return found


class Run:
    """A run of the benchmark, with its figures so far."""

    def __init__(self, asked: list[Section], output: Path) -> None:
        self.figures: Figures = {}
        self.failures: dict[str, str] = {}
        self._sections = asked
        self._output = output
        self._machine = machine()

    def measure(self, databases: Databases) -> None:
        """Measure all sections; if one fails, record why and continue with the next."""
        print(in_words(self._machine), flush=True)
        self._output.mkdir(parents=True, exist_ok=True)
        for section in self._sections:
            start = time.monotonic()
            found: Figures = {}
            try:
                self._take(section, databases, found)
                if section.name == "growth":
                    from bench import picture  # imports matplotlib, which nothing else needs

                    picture.draw(found, self._output / "growth.png")
            except Exception as error:  # any error is shown in the table
                self.failures[section.name] = _why(error)
                print(f"{section.name} failed: {error}", flush=True)
            self._write(section.name, found, time.monotonic() - start)

    def report(self) -> str:
        """Return the figures so far, as Markdown."""
        return report.titled(in_words(self._machine), self.figures, self.failures)

    def _take(self, section: Section, databases: Databases, found: Figures) -> None:
        last = time.monotonic()
        for number, step in enumerate(section.run(databases), 1):
            found.update(step.figures)
            self.figures.update(step.figures)
            now = time.monotonic()
            left = section.seconds * max(0, 1 - number / section.steps) + sum(
                each.seconds for each in self._after(section)
            )
            print(
                f"{section.name} {number}/{section.steps}  {step.summary}"
                f"  ({now - last:.0f} s; {_left(left)})",
                flush=True,
            )
            last = now

    def _after(self, section: Section) -> list[Section]:
        return self._sections[self._sections.index(section) + 1 :]

    def _write(self, name: str, found: Figures, seconds: float) -> None:
        about: dict[str, Any] = {
            "section": name,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(seconds, 1),
            "failed": self.failures.get(name),
            "machine": self._machine,
            "figures": as_json(found),
        }
        (self._output / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
        (self._output / "table.md").write_text(self.report())


def _why(error: Exception) -> str:
    """Return the first line of an error, for the results, without paths of this machine."""
    why = (str(error).splitlines() or [repr(error)])[0]
    for place in (Path(__file__).parents[1], tempfile.gettempdir(), Path.home()):
        why = why.replace(str(place), "…")
    return why


def _left(seconds: float) -> str:
    return f"about {seconds / 60:.0f} min left" if seconds > 90 else f"about {seconds:.0f} s left"


def main() -> int:
    """Run the benchmark, print the table, and return 1 if a section failed, else 0."""
    given = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that started servers are stopped
    wanted = plan(given)
    run = Run(sections(wanted, given.only), given.output)
    with (
        tempfile.TemporaryDirectory(prefix="xcom-bench-") as folder,
        Databases(Path(folder), wanted.entries) as databases,
    ):
        run.measure(databases)
    print("\n" + run.report(), flush=True)
    return 1 if run.failures else 0


if __name__ == "__main__":
    sys.exit(main())
