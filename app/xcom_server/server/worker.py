"""A gthread worker that leaves a new connection to a worker with fewer connections.

A connection stays with the worker that accepted it, and gunicorn does not balance them: without
this, one of two workers got six to eight of eight keep-alive connections in one start of three.
"""

import mmap
import time

from gunicorn.workers.base import Worker

from xcom_server.server.gunicorn_adapter import ObservableWorker, worker_number

SLOTS = 64
"""How many workers there is room for; workers whose numbers differ by 64 share a slot."""

YIELD_SECONDS = 0.001
"""How long a busier worker waits; a worker that hangs costs each new connection this long."""

# Shared by all workers.  Each writes the number of its connections plus 1; 0 is a free slot.
_connection_counts = memoryview(mmap.mmap(-1, SLOTS * 4)).cast("I")


class BalancedWorker(ObservableWorker):
    """gunicorn's gthread worker with about as many connections as the other workers."""

    def before_accept(self) -> None:
        """Give a worker with fewer connections the time to accept this one."""
        count = self.connection_count() + 1
        if count > min(_other_counts(self), default=count):
            time.sleep(YIELD_SECONDS)

    def connections_changed(self) -> None:
        """Publish the number of connections."""
        self._publish_count()

    def _publish_count(self) -> None:
        _connection_counts[_slot(self)] = self.connection_count() + 1 if self.is_running() else 0


def release_slot(worker: Worker) -> None:
    """Free the slot of a worker that has exited."""
    _connection_counts[_slot(worker)] = 0


def _slot(worker: Worker) -> int:
    return worker_number(worker) % SLOTS


def _other_counts(worker: Worker) -> list[int]:
    """Return the number of connections plus 1 of each other worker."""
    own = _slot(worker)
    return [count for slot, count in enumerate(_connection_counts) if count and slot != own]
