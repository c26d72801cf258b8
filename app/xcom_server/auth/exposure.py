"""Warnings about files that other users of the machine can change or read."""

import logging
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_log = logging.getLogger(__name__)
_logged: dict[Path, str] = {}  # the last warning about each file; forked processes inherit it


def warn_if_exposed(path: Path, noun: str) -> None:
    """Log one line if other users can change, replace or read a file; `noun` is what it is.

    The same line is not repeated, also not by worker processes, until the file is safe again.
    """
    with suppress(OSError):  # of a file that has just been removed, for example
        found = next(_exposures(path, noun), "")
        if found and found != _logged.get(path):
            _log.warning(found)
        _logged[path] = found


def _exposures(path: Path, noun: str) -> Iterator[str]:
    """Yield warnings, the most serious first.  Raises OSError.

    Owners and groups of this process are trusted, and so is root.  Folders with the sticky bit are
    safe, such as /tmp and the volumes of Kubernetes' Secrets.
    """
    real = path.resolve()
    if not all(_mode(folder) & stat.S_IXOTH for folder in real.parents):
        return  # other users cannot reach it, whatever its mode is
    status = real.stat()
    mode = stat.S_IMODE(status.st_mode)
    change = f"Other users can change the {noun} {path}"
    if mode & stat.S_IWOTH:
        yield f"{change}: its mode is {mode:04o}. Run: chmod o= {path}"
    if status.st_uid not in (0, os.geteuid()):
        yield f"{change}: it belongs to the user with the id {status.st_uid}."
    if mode & stat.S_IWGRP and status.st_gid not in (0, os.getegid(), *os.getgroups()):
        yield f"{change}: its mode is {mode:04o}, and its group has the id {status.st_gid}."
    for folder in (*path.absolute().parents, *real.parents):
        if _mode(folder) & (stat.S_IWOTH | stat.S_ISVTX) == stat.S_IWOTH:
            yield f"Other users can replace the {noun} {path}: they can write to {folder}."
    if mode & stat.S_IROTH:
        read = f"Other users can read the {noun} {path}"
        yield f"{read}: its mode is {mode:04o}. Run: chmod o= {path}"


def _mode(path: Path) -> int:
    return path.stat().st_mode
