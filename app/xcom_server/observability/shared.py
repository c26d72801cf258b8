"""State that gunicorn's master shares with its workers: the draining flag."""

import mmap

_draining = mmap.mmap(-1, 1)  # anonymous shared memory, which forked workers inherit


def begin_draining() -> None:
    """Set the draining flag in all workers: the server will stop soon."""
    _draining[0] = 1


def is_draining() -> bool:
    """Return whether the server will stop soon."""
    return _draining[0] == 1
