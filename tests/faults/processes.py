"""Processes as the kernel knows them: whether they have ended, and what is done to them."""

import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Identity = tuple[int, str]
"""A process id and when it began, so that a later process with the same id is another one."""


def _status(pid: int) -> list[str]:
    """Return what follows the name in /proc/PID/stat: state, parent …; empty where it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def identity(pid: int) -> Identity:
    status = _status(pid)
    return pid, status[19] if status else ""


def is_running(who: Identity) -> bool:
    """Say whether a process has not ended; one that nobody waited for has."""
    status = _status(who[0])
    return bool(status) and status[0] not in "ZX" and status[19] == who[1]


def send(pids: Sequence[int], number: signal.Signals) -> None:
    """Send a signal to processes, some of which may have ended since."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process where it is, and let it go on afterwards."""
    send([pid], signal.SIGSTOP)
    try:
        yield
    finally:
        send([pid], signal.SIGCONT)


def limit_files(pids: Sequence[int], size: int) -> None:
    """Let no write of these processes reach beyond so many bytes of a file.

    The kernel refuses such a write with EFBIG. The hard limit stays, so that this can be undone.
    """
    for pid in pids:
        try:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            soft = hard if size == resource.RLIM_INFINITY else size
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        except ProcessLookupError:
            continue
