"""A limit for slow searches, so that they leave threads to other requests.

A search reads all rows that it may match, so that it can be slow, and clients choose its pattern.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from xcom_server.errors import Unavailable
from xcom_server.storage.database.faults import SEARCHING

SLOW_SECONDS = 0.5  # a search that has run for longer is slow
_POLL_SECONDS = 0.05


class Searches:
    """The searches of one process, of which at most half of the threads run some at a time.

    Further searches wait for them.  Once all those that run are slow, the others fail, because
    waiting for them would keep the remaining threads busy, and requests such as /live would not be
    served in time.
    """

    def __init__(self, threads: int, wait_seconds: float) -> None:
        self._free = threading.Semaphore(max(1, threads // 2))
        self._wait_seconds = wait_seconds
        self._starts: dict[int, float] = {}

    @contextmanager
    def one(self) -> Iterator[None]:
        """Run a search in the context.  Raises Unavailable if too many slow ones are running."""
        self._acquire()
        thread = threading.get_ident()
        self._starts[thread] = time.monotonic()
        try:
            yield
        finally:
            del self._starts[thread]
            self._free.release()

    def _acquire(self) -> None:
        start = time.monotonic()
        while not self._free.acquire(timeout=_POLL_SECONDS):
            now = time.monotonic()
            newest = max(self._starts.copy().values(), default=now)
            if now - newest > SLOW_SECONDS or now - start > self._wait_seconds:
                raise Unavailable(SEARCHING.reason)
