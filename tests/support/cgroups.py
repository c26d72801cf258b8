"""A limit on the memory of processes, as containers have it."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.memory import MIB
from tests.support.waiting import until

_LIMITS = ("memory.limit_in_bytes", "memory.max")  # of version 1 and 2


@contextmanager
def memory_limit(folder: Path, mib: int, command: Path) -> Iterator[Path]:
    """Yield a command that runs another one in a cgroup with this much memory.

    The kernel kills a process of the group that needs more.  Where cgroups cannot be made (without
    root, for example), the other command itself is yielded.
    """
    group = _cgroup() / f"xcom-{os.getpid()}-{time.monotonic_ns()}"
    try:
        group.mkdir()
        limit = next(group / name for name in _LIMITS if (group / name).exists())
        limit.write_text(str(mib * MIB))
    except (OSError, StopIteration):
        with suppress(OSError):
            group.rmdir()
        yield command
        return
    script = folder / "limited"
    script.write_text(f'#!/bin/sh\necho $$ > {group}/cgroup.procs\nexec {command} "$@"\n')
    script.chmod(0o755)
    try:
        yield script
    finally:
        with suppress(AssertionError):
            until(lambda: _is_removed(group), 20)


def _cgroup() -> Path:
    """Return the folder of this process's memory cgroup, of version 1 or 2."""
    root = Path("/sys/fs/cgroup")
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            return root / "memory" / path.lstrip("/")
        if number == "0":
            root /= path.lstrip("/")
    return root


def _is_removed(group: Path) -> bool:
    """Remove a group; this fails while a process of it exists."""
    with suppress(OSError):
        group.rmdir()
    return not group.exists()
