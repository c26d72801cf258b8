"""Signals to processes and their states; a process may end at any time."""

import os
import resource
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import psutil


def tell(pids: Sequence[int], number: int) -> None:
    """Send a signal to those processes that still exist."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def are_stopped(pids: list[int]) -> bool:
    """Return whether every process is stopped or has ended."""
    return all(_status(pid) in (psutil.STATUS_STOPPED, None) for pid in pids)


def has_ended(process: psutil.Process) -> bool:
    """Return whether a process has ended; a zombie counts as ended."""
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Suspend a process, and resume it on exit."""
    tell([pid], signal.SIGSTOP)
    try:
        yield
    finally:
        tell([pid], signal.SIGCONT)


def limit_files(pids: Sequence[int], size: int) -> None:
    """Limit the size in bytes of the files that these processes write.

    The kernel rejects a write beyond it with EFBIG. The hard limit stays, so this can be undone.
    """
    for pid in pids:
        try:
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            soft = hard if size == resource.RLIM_INFINITY else size
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (soft, hard))
        except ProcessLookupError:
            continue


def working_in(folder: str) -> list[int]:
    """Return the ids of the processes with this working folder."""
    return [each.pid for each in psutil.process_iter() if _folder(each) == folder]


def _status(pid: int) -> str | None:
    try:
        return psutil.Process(pid).status()
    except psutil.NoSuchProcess:
        return None


def _folder(process: psutil.Process) -> str | None:
    try:
        return process.cwd()
    except (psutil.Error, OSError):  # it has ended or belongs to another user
        return None
