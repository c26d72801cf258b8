"""Whether the server is draining: a flag that gunicorn's master shares with its workers."""

import mmap

_flag = mmap.mmap(-1, 1)  # anonymous shared memory, which workers inherit when they are forked


def begin() -> None:
    """Set the flag for all workers: the server is about to stop."""
    _flag[0] = 1


def is_draining() -> bool:
    """Return whether the server is about to stop."""
    return _flag[0] == 1
