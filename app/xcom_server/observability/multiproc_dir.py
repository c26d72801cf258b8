"""The folder over which workers share their metrics, and who makes it and removes it.

prometheus_client looks for it when it is imported, so it is made before any worker starts.
"""

import atexit
import os
import shutil
import tempfile

MEMORY = "/dev/shm"

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder; an operator may set it."""


def make() -> None:
    """Make a folder for this server's workers; unless it was named, it goes with this process."""
    if FOLDER in os.environ:
        os.makedirs(os.environ[FOLDER], exist_ok=True)
    else:
        os.environ[FOLDER] = tempfile.mkdtemp(prefix="xcom-server-metrics-", dir=_place())
        atexit.register(_remove, os.getpid(), os.environ[FOLDER])


def _place() -> str | None:
    """Return memory, where there is some: writing to a mapped file of a full disk kills."""
    return MEMORY if "TMPDIR" not in os.environ and os.access(MEMORY, os.W_OK) else None


def forget(process: int) -> None:
    """Forget what a process that is gone was using; what it counted stays counted."""
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(process)  # type: ignore[no-untyped-call]


def _remove(owner: int, folder: str) -> None:
    if os.getpid() == owner:  # and not a worker, which inherits this duty
        shutil.rmtree(folder, ignore_errors=True)
