"""Processes, by their number: signalled and looked at, though they may end at any moment."""

import os

import psutil


def tell(pids: list[int], number: int) -> None:
    """Send a signal to those of the processes that there still are."""
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue


def are_stopped(pids: list[int]) -> bool:
    """Say whether no process runs: each is stopped where it was, or has ended."""
    return all(_status(pid) in (psutil.STATUS_STOPPED, None) for pid in pids)


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
