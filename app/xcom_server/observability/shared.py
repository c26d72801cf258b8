"""What gunicorn's master shares with its workers: the draining flag and the metrics' folder."""

import atexit
import mmap
import os
import shutil
import tempfile

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the variable of the folder; operators may set it
_PREFIX = "xcom-server-metrics-"
_MEMORY = "/dev/shm"

_draining = mmap.mmap(-1, 1)  # anonymous shared memory, which workers inherit when they are forked


def begin_draining() -> None:
    """Set the flag for all workers: the server is about to stop."""
    _draining[0] = 1


def is_draining() -> bool:
    """Return whether the server is about to stop."""
    return _draining[0] == 1


def create_metrics_folder() -> None:
    """Create the folder; unless an operator named it, it is removed with this process.

    prometheus_client looks for it on import, so it must be created before.
    """
    owner = os.getpid()
    named = os.environ.get(METRICS_FOLDER)
    if named is not None and not _is_of_other_master(named):
        os.makedirs(named, exist_ok=True)
        return
    # In memory if there is a file system there: a full disk kills a process that mmaps.
    base = _MEMORY if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) else None
    path = os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix=f"{_PREFIX}{owner}-", dir=base)

    @atexit.register
    def remove() -> None:
        if os.getpid() == owner:  # a forked worker inherits the exit handler
            shutil.rmtree(path, ignore_errors=True)


def mark_process_dead(pid: int) -> None:
    """Drop the gauges of a process that has exited; its counters are kept."""
    from prometheus_client import multiprocess

    if METRICS_FOLDER in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _is_of_other_master(path: str) -> bool:
    """Return whether the master that this one replaces (SIGUSR2) created the folder."""
    name = os.path.basename(path)
    return name.startswith(_PREFIX) and not name.startswith(f"{_PREFIX}{os.getpid()}-")
