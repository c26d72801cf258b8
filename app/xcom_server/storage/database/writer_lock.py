"""Writers of one SQLite file take turns, whatever process or thread they are in.

SQLite's own way is that each waiting writer sleeps, longer every time, and looks again: who comes
anew wins over who waits, and of 8 writing processes the slowest waited 0.7 to 4.2 s.  Two locks
beside the database make it fair: a writer holds the first while it waits for the second, so that
whoever has just written must go behind it.  The kernel lets go of the locks of a process that dies.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from pathlib import Path

POLL_SECONDS = 0.0002
"""How often a writer looks whether it is its turn; a commit takes some ten times as long."""


class WriterLockTimeout(Exception):
    """It was not this writer's turn in time."""


class WriterLock:
    """The turns of those who write to the SQLite file at `path`."""

    def __init__(self, path: str, timeout_seconds: float) -> None:
        self._files = [f"{path}-queue", f"{path}-turn"]
        self._timeout = timeout_seconds

    @contextmanager
    def turn(self, since: float | None = None) -> Iterator[None]:
        """Wait for a turn and keep it; raises WriterLockTimeout, and OSError where no lock can be made.

        `since` is when the waiting began, by time.monotonic(), if that was before.
        """
        deadline = (time.monotonic() if since is None else since) + self._timeout
        with _open(self._files[1]) as turn:
            with _open(self._files[0]) as queue:
                _lock(queue, deadline)
                _lock(turn, deadline)
            yield


class NullWriterLock:
    """For a database that orders its writers itself."""

    def turn(self, since: float | None = None) -> AbstractContextManager[None]:
        """Return at once."""
        return nullcontext()


@contextmanager
def _open(path: str) -> Iterator[int]:
    """Open a lock of one's own; closing it lets go of it."""
    # Read-only is enough to lock, and works for everybody who may read the database.
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _belong_with_database(descriptor, path)
        yield descriptor
    finally:
        os.close(descriptor)


def _belong_with_database(descriptor: int, path: str) -> None:
    """Give a lock that this process has made the owner and the mode of its database."""
    with suppress(OSError):  # it is somebody else's, and good as it is; or there is no database yet
        database = Path(path.rpartition("-")[0]).stat()
        mine = os.fstat(descriptor)
        if (mine.st_uid, mine.st_mode & 0o666) != (database.st_uid, database.st_mode & 0o666):
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
