"""The directory over which workers share metrics (prometheus_client's multiprocess mode).

prometheus_client looks for it on import, so it must be created before.
"""

import atexit
import os
import shutil
import tempfile

MEMORY = "/dev/shm"

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The environment variable that names the directory; an operator may set it."""

_PREFIX = "xcom-server-metrics-"


def create() -> None:
    """Create the directory; unless an operator named it, it is removed with this process."""
    named = os.environ.get(FOLDER)
    if named is not None and not _is_of_other_master(named):
        os.makedirs(named, exist_ok=True)
    else:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_base_dir())
        atexit.register(_remove, os.getpid(), os.environ[FOLDER])


def _is_of_other_master(path: str) -> bool:
    """Return whether the master that this one replaces (SIGUSR2) created the directory."""
    name = os.path.basename(path)
    return name.startswith(_PREFIX) and not name.startswith(f"{_PREFIX}{os.getpid()}-")


def _base_dir() -> str | None:
    """Return a file system in memory if there is one: a full disk kills a process that mmaps."""
    return MEMORY if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) else None


def mark_process_dead(pid: int) -> None:
    """Drop the gauges of a process that has exited; its counters are kept."""
    from prometheus_client import multiprocess

    if FOLDER in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _remove(owner: int, path: str) -> None:
    if os.getpid() == owner:  # a forked worker inherits the exit handler
        shutil.rmtree(path, ignore_errors=True)
