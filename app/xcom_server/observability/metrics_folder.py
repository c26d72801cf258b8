"""The folder of gunicorn's master in which its workers store their metrics.

The master and its workers hold a lock on a file in the folder.  A folder that a killed master has
left is not locked, and the next start of a server removes it.  Each worker has a slot, the lowest
number that is free, and its files are named after the slot.  A replacement continues the files of
the worker that it replaces, so the number of files is bounded and no count is lost.
"""

import atexit
import fcntl
import os
import shutil
import stat
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path

from xcom_server.errors import OperatorError

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client's; an operator may set it
MIN_FREE_BYTES = 4 * 1024 * 1024  # on the file system of the folder, if there is a choice
_PREFIX = "xcom-server-metrics-"
_LOCK = "lock"
_MEMORY = "/dev/shm"

_created: dict[str, int] = {}  # the path of this process's folder, and the descriptor of its lock
_slots: dict[int, int] = {}  # by the number of the worker
_own_name: str | None = None  # of this process's slot


class NoMetricsFolder(OperatorError):
    """No folder for metrics can be created; the message contains the reason."""


def create() -> None:
    """Create the folder, set the variable to its path, and remove abandoned folders beside it.

    The folder is in the one that the operator has set, otherwise in memory or in the temporary
    directory.  This process removes it at exit.  Call this before prometheus_client is imported,
    which reads the variable.  Raises NoMetricsFolder.
    """
    named = os.environ.get(VARIABLE, "").strip()
    if named in _created:  # at a reload
        return
    reason = "there is no temporary directory"
    try:
        for base in sorted(_bases(named), key=_is_full):
            try:
                os.environ[VARIABLE] = _create_in(base)
                return
            except OSError as error:
                reason = f"{base}: {error.strerror}"
    except OSError as error:
        reason = f"the current directory: {error.strerror}"
    raise NoMetricsFolder(
        f"no folder for metrics can be created ({reason}). Set {VARIABLE} to a folder that can be"
        " written to, or XCOM_METRICS=false."
    )


def reserve_slot(worker: int) -> None:
    """Reserve a slot for the worker with this number, in the master before the fork."""
    taken = set(_slots.values())
    _slots[worker] = next(slot for slot in count() if slot not in taken)


def use_slot(worker: int) -> None:
    """Store the metrics of this process, which is the worker with this number, in its slot."""
    global _own_name
    _own_name = _name(_slots[worker]) if worker in _slots else None


def release_slot(worker: int) -> None:
    """Free the slot of a worker that has exited: remove its gauges, and keep its counters."""
    from prometheus_client import multiprocess

    slot = _slots.pop(worker, None)
    if slot is not None and VARIABLE in os.environ:
        multiprocess.mark_process_dead(_name(slot))  # type: ignore[no-untyped-call]


def owner() -> str:
    """Return the name of this process in the names of its files: its slot or its process id."""
    return _own_name or str(os.getpid())


def _name(slot: int) -> str:
    return f"worker{slot}"  # not like a process id


def _bases(named: str) -> list[str]:
    """Return the folders in which the master's folder may be created, the best one first.

    Raises OSError for a relative path if the current directory does not exist.
    """
    if named:
        path = Path(os.path.abspath(named))
        # A master that replaces another one (SIGUSR2) finds the path of that one's folder.
        return [str(path.parent if path.name.startswith(_PREFIX) else path)]
    # In memory if possible, so that no request waits for a disk.
    in_memory = "TMPDIR" not in os.environ and os.path.isdir(_MEMORY)
    bases = [_MEMORY] if in_memory else []
    with suppress(FileNotFoundError):  # there is no temporary directory
        bases.append(tempfile.gettempdir())
    return bases


def _is_full(base: str) -> bool:
    try:
        return shutil.disk_usage(base).free < MIN_FREE_BYTES
    except OSError:  # it does not exist yet
        return False


def _create_in(base: str) -> str:
    """Create a folder and lock it, and return its path.  Raises OSError."""
    os.makedirs(base, exist_ok=True)
    _remove_abandoned(base)
    # The folder gets its name once it is locked, so that no other server removes it before.
    new = tempfile.mkdtemp(prefix=".xcom-server-", dir=base)
    lock = os.open(os.path.join(new, _LOCK), os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    process = os.getpid()
    path = os.path.join(base, f"{_PREFIX}{process}{os.path.basename(new)[len('.xcom-server') :]}")
    os.rename(new, path)
    _created[path] = lock

    @atexit.register
    def remove() -> None:
        if os.getpid() == process:  # a forked worker inherits the exit handler
            shutil.rmtree(path, ignore_errors=True)

    return path


def _remove_abandoned(base: str) -> None:
    """Remove the folders of this user that no process has locked."""
    for folder in Path(base).glob(f"{_PREFIX}*"):
        with suppress(OSError):  # it is locked, or another process removes it
            status = folder.lstat()
            if status.st_uid == os.geteuid() and stat.S_ISDIR(status.st_mode):
                _remove_unless_locked(folder)


def _remove_unless_locked(folder: Path) -> None:
    lock = os.open(folder / _LOCK, os.O_RDWR)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    finally:
        os.close(lock)
