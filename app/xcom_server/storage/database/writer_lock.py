"""A fair lock between the processes and threads that write to one SQLite file.

In SQLite a waiting writer sleeps and looks again, so that a new writer wins over a waiting one: of
8 writing processes the slowest waited 0.7 to 4.2 s.  Two lock files make it fair: a writer holds
the first (`-queue`) while it waits for the second (`-turn`), so that a writer that has just
committed queues behind those already waiting.  The kernel releases the locks of a dead process.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.0002  # how often a writer tries again; a commit takes some ten times as long


class WriterLockTimeout(Exception):
    """Other writers held the lock for too long."""


class WriterLock:
    """The lock of the SQLite file at `path`."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._queue = f"{path}-queue"
        self._turn = f"{path}-turn"
        self._timeout = timeout_seconds

    @contextmanager
    def acquire(self, since: float | None = None) -> Iterator[None]:
        """Hold the lock.  Raises WriterLockTimeout, and OSError if a file cannot be made.

        `since` is when the caller began to wait, by time.monotonic(), if that was before.
        """
        deadline = (time.monotonic() if since is None else since) + self._timeout
        with _open(self._turn) as turn:
            with _open(self._queue) as queue:
                _lock(queue, deadline)
                _lock(turn, deadline)
            yield


@contextmanager
def _open(path: str) -> Iterator[int]:
    """Open a lock file; closing it releases the lock."""
    # Read-only is enough to lock, and works for every user who may read the database.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _copy_permissions(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_permissions(descriptor: int, path: str) -> None:
    """Give a lock file that this process made the owner and the mode of its database."""
    with suppress(OSError):  # another user's file works unchanged; the database may not exist
        database = Path(path.rpartition("-")[0]).stat()
        lock = os.fstat(descriptor)
        if (lock.st_uid, lock.st_mode & 0o666) != (database.st_uid, database.st_mode & 0o666):
            os.fchmod(descriptor, database.st_mode & 0o666)
            os.fchown(descriptor, database.st_uid, database.st_gid)


def _lock(descriptor: int, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise WriterLockTimeout from None
            time.sleep(POLL_SECONDS)
        else:
            return
