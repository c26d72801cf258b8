"""Whether this server is about to stop: one byte that gunicorn's master shares with its workers."""

import mmap

_flag = mmap.mmap(-1, 1)  # anonymous and shared: a worker that is forked later has it too


def begin() -> None:
    """Say from now on, in every worker, that this server is about to stop."""
    _flag[0] = 1


def is_draining() -> bool:
    """Say whether this server is about to stop."""
    return _flag[0] == 1
