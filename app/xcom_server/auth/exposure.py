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
    if not all(_rights_of_others(folder) & os.X_OK for folder in real.parents):
        return  # other users cannot reach it, whatever its mode is
    status = real.stat()
    mode = stat.S_IMODE(status.st_mode)
    change = f"Other users can change the {noun} {path}"
    if mode & stat.S_IWOTH:
        yield f"{change}: its mode is {mode:04o}. Run: chmod o= {path}"
    if _is_foreign_owner(status):
        yield f"{change}: it belongs to the user with the id {status.st_uid}."
    if mode & stat.S_IWGRP and _is_foreign_group(status):
        yield f"{change}: its mode is {mode:04o}, and its group has the id {status.st_gid}."
    for folder in (*path.absolute().parents, *real.parents):
        if _can_be_replaced_in(folder):
            yield f"Other users can replace the {noun} {path}: they can write to {folder}."
    if mode & stat.S_IROTH:
        read = f"Other users can read the {noun} {path}"
        yield f"{read}: its mode is {mode:04o}. Run: chmod o= {path}"


def _can_be_replaced_in(folder: Path) -> bool:
    """Return whether others can rename files in a folder; if it is sticky, only its owner can."""
    status = folder.stat()
    if status.st_mode & stat.S_ISVTX:
        return _is_foreign_owner(status)
    return bool(_rights_of_others(folder) & os.W_OK)


def _rights_of_others(folder: Path) -> int:
    """Return the bits R_OK, W_OK and X_OK that any other user may have."""
    status = folder.stat()
    if _is_foreign_owner(status):  # who can change the mode
        return os.R_OK | os.W_OK | os.X_OK
    of_group = status.st_mode >> 3 if _is_foreign_group(status) else 0
    return (status.st_mode | of_group) & (os.R_OK | os.W_OK | os.X_OK)


def _is_foreign_owner(status: os.stat_result) -> bool:
    return status.st_uid not in (0, os.geteuid())


def _is_foreign_group(status: os.stat_result) -> bool:
    return status.st_gid not in (0, os.getegid(), *os.getgroups())
