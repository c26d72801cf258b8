"""A worker that lets another one take a new connection that has fewer.

Connections stay with the worker that took them, and nothing shares them out: of eight that a client
keeps open, one of two workers had six or all in one start of three, and the other little to do.
"""

import mmap
import time
from typing import Any

from gunicorn.workers.base import Worker
from gunicorn.workers.gthread import ThreadWorker

SLOTS = 64
"""For how many workers there is room; two whose ages differ by that many share a number."""

YIELD_SECONDS = 0.001
"""How long another worker has to be faster; one that hangs costs each new connection that."""

# Anonymous and shared: each worker writes how many connections it has, and one more, since 0 stands
# for no worker.
_held = memoryview(mmap.mmap(-1, SLOTS * 4)).cast("I")


class BalancedWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's worker with threads, whose workers have as many connections each."""

    def notify(self) -> None:
        """Tell the master that this worker lives, and the others how many connections it has."""
        self._tell()
        super().notify()

    def accept(self, listener: Any) -> None:
        """Take a connection, after another worker that has fewer had the time to."""
        if self.nr_conns + 1 > min(_others(self), default=self.nr_conns + 1):
            time.sleep(YIELD_SECONDS)
        super().accept(listener)
        self._tell()

    def _tell(self) -> None:
        """Write down how many connections there are; a worker that is leaving takes no part.

        gunicorn can count one down twice, where it broke.
        """
        _held[_slot(self)] = max(self.nr_conns, 0) + 1 if self.alive else 0


def forget(worker: Worker) -> None:
    """Forget the connections of a worker that is gone."""
    _held[_slot(worker)] = 0


def _slot(worker: Worker) -> int:
    return int(worker.age) % SLOTS


def _others(worker: Worker) -> list[int]:
    """Return what the other workers have, and one more."""
    mine = _slot(worker)
    return [held for slot, held in enumerate(_held) if held and slot != mine]
