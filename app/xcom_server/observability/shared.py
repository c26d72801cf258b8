"""State that gunicorn's master shares with its workers: the draining flag, the metrics folder."""

import atexit
import mmap
import os
import shutil
import tempfile

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # the folder's variable, which an operator may set
_PREFIX = "xcom-server-metrics-"
_MEMORY = "/dev/shm"

_draining = mmap.mmap(-1, 1)  # anonymous shared memory, which forked workers inherit


def begin_draining() -> None:
    """Set the draining flag in all workers: the server will stop soon."""
    _draining[0] = 1


def is_draining() -> bool:
    """Return whether the server will stop soon."""
    return _draining[0] == 1


def create_metrics_folder() -> None:
    """Create the folder; this process removes it at exit unless the operator has set its path.

    Call this before prometheus_client is imported, which reads the variable.
    """
    owner = os.getpid()
    named = os.environ.get(METRICS_FOLDER)
    if named is not None and not _is_of_other_master(named):
        os.makedirs(named, exist_ok=True)
        return
    # In memory if possible: a full disk kills a process that writes to a mapped file.
    base = _MEMORY if "TMPDIR" not in os.environ and os.access(_MEMORY, os.W_OK) else None
    path = os.environ[METRICS_FOLDER] = tempfile.mkdtemp(prefix=f"{_PREFIX}{owner}-", dir=base)

    @atexit.register
    def remove() -> None:
        if os.getpid() == owner:  # a forked worker inherits the exit handler
            shutil.rmtree(path, ignore_errors=True)


def mark_process_dead(pid: int) -> None:
    """Remove the gauges of a process that has exited; its counters are kept."""
    from prometheus_client import multiprocess

    if METRICS_FOLDER in os.environ:
        multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]


def _is_of_other_master(path: str) -> bool:
    """Return whether the folder was created by the master that this one replaces (SIGUSR2)."""
    name = os.path.basename(path)
    return name.startswith(_PREFIX) and not name.startswith(f"{_PREFIX}{os.getpid()}-")
