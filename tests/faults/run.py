"""`python -m tests.faults.run`: inject faults into a live server and check its entries."""

import argparse
import secrets
import shutil
import sys
import tempfile
from pathlib import Path

from tests.faults import speed
from tests.faults.campaign import campaign, served
from tests.faults.nemesis import KILLS, Struck, schedule
from tests.faults.races import Raced, race
from tests.faults.workload import Tally


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.run", description=__doc__)
    parser.add_argument("--database", choices=list(KILLS), default="sqlite")
    parser.add_argument("--seed", default="", help="repeat the operations and faults of a run")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=8, help="the longest run")
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--races", type=int, default=300, help="runs for which clients race")
    return parser.parse_args()


def print_progress(seconds: float, tally: Tally, struck: list[Struck]) -> None:
    """Print the progress of the run."""
    kills = sum(each.fault.kind.startswith("kill") for each in struck)
    print(
        f"{seconds:6.0f} s {tally.operations:8} operations {tally.acknowledged:8} acknowledged"
        f" {kills:4} kills {tally.unknown:6} unknown"
        f"   {struck[-1].fault.kind if struck else ''}",
        flush=True,
    )


def main() -> int:
    """Run, print the figures, and return 1 if a violation was found."""
    given = arguments()
    seed = given.seed or secrets.token_hex(4)
    repeat = (
        f"--database {given.database} --seed {seed} --kills {given.kills}"
        f" --clients {given.clients} --minutes {given.minutes:g}"
    )
    print(f"seed: python -m tests.faults.run {repeat}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix=f"xcom-faults-{given.database}-"))
    faults = schedule(seed, given.database, given.kills)
    report = campaign(
        given.database,
        folder,
        seed=seed,
        faults=faults,
        clients=given.clients,
        seconds=given.minutes * 60,
        on_progress=print_progress,
    )
    print(report.figures())
    if given.database == "sqlite":
        print(*speed.figures(folder / "speed"), sep="\n")
    if len(report.struck) < len(faults):
        print(f"ended after {len(report.struck)} of {len(faults)} faults")
    print(f"seed: {repeat}")
    raced = raced_for(given.database, folder / "races", given.races)
    print(raced.figures())
    return print_findings([*report.findings(), *raced.found], folder)


def raced_for(database: str, folder: Path, runs: int) -> Raced:
    """Return the result of races for a number of runs on a server without faults."""
    folder.mkdir()
    with served(database, folder) as (server, _):
        return race(server.url, runs)


def print_findings(findings: list[str], folder: Path) -> int:
    """Print the findings and the path of the histories; remove them without a finding."""
    if not findings:
        shutil.rmtree(folder)
        print("nothing found")
        return 0
    for finding in findings:
        print(f"FOUND {finding}")
    print(f"histories and logs: {folder}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
