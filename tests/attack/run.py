"""`python -m tests.attack.run`: attack servers with hostile input, and print what was found."""

import argparse
import secrets
import shutil
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

from tests.attack.campaign import DATABASES, Plan, Report, attack


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.attack.run", description=__doc__)
    parser.add_argument("--database", choices=[*DATABASES, "both"], default="both")
    parser.add_argument("--users", choices=["yes", "no", "both"], default="both")
    parser.add_argument("--minutes", type=float, default=4, help="in all, for random requests")
    parser.add_argument("--requests", type=int, default=10**9, help="end after so many, in all")
    parser.add_argument("--clients", type=int, default=2, help="processes that send requests")
    parser.add_argument("--slow-clients", type=int, default=1000)
    parser.add_argument("--seed", default="", help="send the requests of another run again")
    return parser.parse_args()


def plans(given: argparse.Namespace, seed: str) -> list[Plan]:
    """Return an attack for each database, with and without users."""
    databases = DATABASES if given.database == "both" else (given.database,)
    users = {"yes": (True,), "no": (False,), "both": (False, True)}[given.users]
    pairs = list(product(databases, users))
    return [
        Plan(
            database,
            has_users,
            seed,
            given.requests // len(pairs),
            given.minutes * 60 / len(pairs),
            slow_clients=given.slow_clients,
            clients=given.clients,
        )
        for database, has_users in pairs
    ]


def main() -> int:
    """Run the attacks, print the figures, and return 1 if something was found."""
    given = arguments()
    seed = given.seed or secrets.token_hex(4)
    print(f"seed: {seed}", flush=True)
    found = 0
    for plan in plans(given, seed):
        folder = Path(tempfile.mkdtemp(prefix="xcom-attack-"))
        report = attack(plan, folder, print_progress)
        print_report(report)
        if report.all_findings():
            found = 1
            print(f"log and data: {folder}")
        else:
            shutil.rmtree(folder)
    return found


def print_progress(text: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def print_report(report: Report) -> None:
    """Print the figures of an attack and its findings."""
    tally = report.tally
    print(f"\n{report.plan}")
    print(f"{tally.requests:9} requests, {tally.closed} closed without a response")
    for status, count in sorted(tally.statuses.items()):
        print(f"{count:9} responses {status}")
    print(f"{tally.slow:9} responses after more than 5 s, the slowest after {tally.slowest:.2f} s")
    print(f"{report.matrix.checks:9} checks of roles")
    print(f"{report.amplified:9} requests for much memory")
    print(f"{sum(report.slow.values()):9} slow connections: {report.slow}")
    for part, seconds in report.live.items():
        print(f"{seconds:9.2f} s for the slowest /live during: {part}")
    for part, peak in report.peaks.items():
        print(f"{peak:9.0f} MiB of memory in both workers at most until the end of: {part}")
    print(f"{report.stop_seconds:9.2f} s to stop while the slow connections were open")
    for finding in report.all_findings():
        print(f"FOUND {finding}")
    print(f"{len(report.all_findings()):9} findings\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())
