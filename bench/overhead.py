"""`python -m bench.overhead`: the CPU time of requests with the emulator, and without it.

Servers with one worker each have the same database: this one without the emulator, with it, and,
with `--since REVISION`, that of an older revision. They get the same requests alternately, over one
connection each. The ratios are those of the rounds, so that the load of the machine cancels out.
For the older revision, Python instructions are counted too, because CPU time varies by 5 %.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench import serving
from bench.databases import Databases
from bench.figures import ratio, spread
from bench.instructions import ENTRIES
from bench.operations import V1, V2, operations
from bench.peers import Served
from bench.plan import POSTGRESQL, SQLITE
from bench.runs import timed

OPERATIONS = ("GET entry", "list of 100")
ON, OFF = "on", "off"
HEADERS = {  # as the library requests sends them
    "User-Agent": "python-requests/2.32.0",
    "Accept-Encoding": "gzip, deflate",
    "Connection": "keep-alive",
    "Authorization": "Basic YWRtaW46YWRtaW4=",
}

_ROOT = Path(__file__).parents[1]
_numbers = count()


def main() -> None:
    """Print the CPU time per request of each server, and the ratios to the one without."""
    parser = argparse.ArgumentParser(prog="python -m bench.overhead", description=__doc__)
    parser.add_argument("--since", metavar="REVISION", help="compare with this revision too")
    parser.add_argument("--rounds", type=int, default=20, help="default: 20")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="xcom-bench-") as folder,
        Databases(Path(folder), ENTRIES) as databases,
    ):
        for database in (SQLITE, POSTGRESQL):
            if given.since:
                _print_instructions(databases, database, given.since)
            with _servers(databases, database, given.since) as servers:
                for base, name in ((base, name) for base in (V1, V2) for name in OPERATIONS):
                    found = _measured(servers, databases, base, name, given.rounds)
                    print(f"{database}, {base}, {name}: {_summary(found)}", flush=True)


def _print_instructions(databases: Databases, database: str, since: str) -> None:
    command = [sys.executable, "-m", "bench.instructions", databases.url(database)]
    with _checkout(since) as old:
        before, after = (
            subprocess.run(
                command,
                cwd=_ROOT,
                env={**os.environ, "PYTHONPATH": f"{folder}/app:{_ROOT}"},
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            for folder in (old, _ROOT)
        )
    print(f"{database}, GET entry, instructions in v1 and v2: {after}, {since}: {before}")


@contextmanager
def _servers(databases: Databases, database: str, since: str | None) -> Iterator[dict[str, Served]]:
    """Start the servers on one database, and yield them by name."""
    url, first = databases.url(database), operations(databases.layout)["GET entry"].request(0)
    settings: dict[str, dict[str, Any]] = {OFF: {}, ON: {"XCOM_EMULATOR": "true"}}
    with ExitStack() as stack:
        if since:
            settings[since] = {"PYTHONPATH": f"{stack.enter_context(_checkout(since))}/app"}
        yield {
            name: stack.enter_context(
                serving.this(url, first, databases.folder / f"{database}-{name}", workers=1, **each)
            )
            for name, each in settings.items()
        }


@contextmanager
def _checkout(revision: str) -> Iterator[Path]:
    """Yield the path of a checkout of a revision, without its history."""
    with tempfile.TemporaryDirectory(prefix="xcom-bench-") as folder:
        archive = subprocess.run(
            ["git", "archive", revision],
            cwd=_ROOT,
            check=True,
            capture_output=True,
        )
        subprocess.run(["tar", "-x", "-C", folder], input=archive.stdout, check=True)
        yield Path(folder)


def _measured(
    servers: dict[str, Served], databases: Databases, base: str, name: str, rounds: int
) -> dict[str, list[float]]:
    """Return the CPU time per request of each server, in microseconds; rounds alternate."""
    operation = operations(databases.layout, base)[name]
    found: dict[str, list[float]] = defaultdict(list)
    with ExitStack() as stack:
        connections = {
            each: stack.enter_context(closing(_connect(served))) for each, served in servers.items()
        }
        for round_ in range(rounds + 1):
            for each in [*servers][:: 1 if round_ % 2 else -1]:
                served = Served(servers[each].url, HEADERS, servers[each].pid, 0)
                taken = timed(served, connections[each], operation, _numbers)
                if round_:  # the first one warms up
                    found[each].append(taken)
    return {each: found[each] for each in servers}


def _connect(served: Served) -> HTTPConnection:
    place = urlsplit(served.url)
    return HTTPConnection(place.hostname or "", place.port)


def _summary(found: dict[str, list[float]]) -> str:
    said = [f"{spread(found[OFF]).median:.0f} µs off"]
    said += [
        f"{name} {spread(numbers).median:.0f} µs ({ratio(numbers, found[OFF]).median:.3f} times)"
        for name, numbers in found.items()
        if name != OFF
    ]
    return ", ".join(said)


if __name__ == "__main__":
    main()
