"""Processes, by their number: signalled and looked at, though they may end at any moment."""

import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil


def tell(pids: Sequence[int], number: int) -> None:
    """Send a signal to those of the processes that there still are."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def are_stopped(pids: list[int]) -> bool:
    """Say whether no process runs: each is stopped where it was, or has ended."""
    return all(_status(pid) in (psutil.STATUS_STOPPED, None) for pid in pids)


def has_ended(process: psutil.Process) -> bool:
    """Say whether a process has ended, though perhaps nobody has waited for it yet."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Stop a process where it is, and let it go on afterwards."""
    tell([pid], signal.SIGSTOP)
    try:
        yield
    finally:
        tell([pid], signal.SIGCONT)


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


def working_in(folder: str) -> list[int]:
    """Return the processes whose working folder this is."""
    return [each.pid for each in psutil.process_iter() if _folder(each) == folder]


def _status(pid: int) -> str | None:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return None


def _folder(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except (psutil.Error, OSError):  # it ended, or is somebody else's
        return None
