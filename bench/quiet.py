"""Waiting until a server is idle.

When wrk ends, its last requests are still in progress.  If they take seconds, they would compete
for CPU with the next measurement.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg

from bench.plan import POSTGRESQL

SECONDS = 60
"""The time-out."""

WINDOW, BUSY = 0.1, 0.02
"""A server is busy if it uses more than BUSY seconds of CPU time in WINDOW seconds."""

_ACTIVE = (
    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active'"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def until_quiet(group: int, database_url: str) -> None:
    """Wait until a process group uses no CPU and no statement runs on its PostgreSQL.

    Raises RuntimeError after SECONDS.
    """
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        before = seconds_of_cpu(group)
        time.sleep(WINDOW)
        if seconds_of_cpu(group) - before <= BUSY and not _runs_statements(database_url):
            return
    raise RuntimeError(f"a server was still busy {SECONDS} s after its last request")


def members(group: int) -> Iterator[Path]:
    """Yield the folder in /proc of each process of a group."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if os.getpgid(int(folder.name)) == group:
                yield folder
        except OSError:  # the process has ended
            continue


def seconds_of_cpu(group: int) -> float:
    """Return the CPU time that the processes of a group have used, in seconds."""
    ticks = 0
    for folder in members(group):
        try:
            after_name = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        ticks += int(after_name[11]) + int(after_name[12])  # utime and stime of proc(5)
    return ticks / os.sysconf("SC_CLK_TCK")


def _runs_statements(database_url: str) -> bool:
    if not database_url.startswith(POSTGRESQL):
        return False
    with psycopg.connect(database_url.replace("+psycopg", ""), autocommit=True) as connection:
        active = connection.execute(_ACTIVE).fetchone()
    return active != (0,)
