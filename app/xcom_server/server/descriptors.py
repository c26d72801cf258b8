"""File descriptors: how many connections of clients a worker can have."""

import os
import resource

_OTHER_DESCRIPTORS = 16  # temporary files, sockets of /metrics and such
_PER_THREAD = 4  # a connection to SQLite has the database, its log, the shared memory and the lock
_FOLDERS = ("/proc/self/fd", "/dev/fd")


def available_connections(wanted: int, threads: int) -> int:
    """Return how many connections this process can accept, at most `wanted` and at least 1.

    Raises the soft limit of file descriptors (RLIMIT_NOFILE) to the hard one, and leaves some for
    the database and for files.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard and hard != resource.RLIM_INFINITY:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft == resource.RLIM_INFINITY:
        return wanted
    reserved = _open_descriptors() + _OTHER_DESCRIPTORS + threads * _PER_THREAD
    return max(min(wanted, soft - reserved), 1)


def _open_descriptors() -> int:
    folder = next((each for each in _FOLDERS if os.path.isdir(each)), None)
    return len(os.listdir(folder)) if folder else 32
