"""A fair lock between the processes and threads that write to one SQLite file.

In SQLite itself a waiting writer polls, so a new writer can overtake it: of 8 writing
processes the slowest waited 0.7 to 4.2 s.  Two lock files make the lock fair: a writer holds the
first (`-queue`) while it waits for the second (`-turn`), so that a writer that has just committed
queues behind those already waiting.  The kernel releases the locks of a dead process.
"""

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

POLL_SECONDS = 0.0002  # the pause between attempts; a commit takes about ten times as long


_SUFFIXES = _QUEUE, _TURN = "-queue", "-turn"
# Read-only access suffices for a lock.  A link or a pipe that another user has put there is neither
# followed nor waited for.
_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class UnsafeLockFile(OSError):
    """Another user can hold the lock; the message names the file."""


class WriterLockTimeout(Exception):
    """The lock was not acquired in time."""


class WriterLock:
    """The lock of the SQLite file at `path`, in two files beside it."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._path = path
        self._timeout = timeout_seconds

    @contextmanager
    def acquire(self, since: float | None = None) -> Iterator[None]:
        """Hold the lock while the context is active.

        `since` is when the caller began to wait, in seconds of time.monotonic(); the default is
        now.  Raises WriterLockTimeout, and OSError if a lock file cannot be used.
        """
        deadline = (time.monotonic() if since is None else since) + self._timeout
        with _open(self._path, _TURN) as turn:
            with _open(self._path, _QUEUE) as queue:
                _lock(queue, deadline)
                _lock(turn, deadline)
            yield


def check(path: str) -> None:
    """Create the lock files of the database at `path`; raise OSError if they cannot be used."""
    for suffix in _SUFFIXES:
        with _open(path, suffix):
            pass


@contextmanager
def _open(database: str, suffix: str) -> Iterator[int]:
    """Open a lock file; closing it releases the lock.

    Raises UnsafeLockFile, and FileNotFoundError if the database does not exist: then no lock file
    is created either.
    """
    path = database + suffix
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        mode = _mode(os.stat(database))
        descriptor = os.open(path, _FLAGS | os.O_CREAT, mode)
    try:
        _secure(descriptor, path, os.stat(database))
        yield descriptor
    finally:
        os.close(descriptor)


def _mode(database: os.stat_result) -> int:
    """Return the mode of a lock file: only users who may write to the database can open it.

    Who can open it can hold the lock, and so block all writes.
    """
    writers = database.st_mode & 0o222
    return writers | writers << 1


def _secure(descriptor: int, path: str, database: os.stat_result) -> None:
    """Give a lock file the owner of its database and `_mode`, or raise UnsafeLockFile."""
    lock, mode = os.fstat(descriptor), _mode(database)
    if not stat.S_ISREG(lock.st_mode):
        raise UnsafeLockFile(f"{path} is not a file. Remove it.")
    if (lock.st_uid, lock.st_mode & 0o777) == (database.st_uid, mode):
        return
    # Others who may write to the database may have created the file.
    is_trusted = lock.st_uid in (0, os.geteuid(), database.st_uid)
    if not is_trusted and not database.st_mode & 0o022:
        raise UnsafeLockFile(
            f"{path} belongs to another user, who can block all writes. Remove it."
        )
    with suppress(OSError):  # the file may be another user's
        os.fchmod(descriptor, mode)
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
