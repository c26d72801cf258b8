"""A circuit breaker for a database that does not respond."""

import threading
from collections.abc import Callable
from typing import TypeVar

from xcom_server.errors import Unavailable
from xcom_server.storage.database.faults import UNRESPONSIVE
from xcom_server.storage.database.retry import Unresponsive

PROBE_WAIT_SECONDS = 0.1  # how long a request waits for the probe of another one before it fails
Result = TypeVar("Result")


class CircuitBreaker:
    """Opens when the database does not respond, and closes with the next response of any kind.

    While it is open, one request at a time probes the database and the others fail fast.  Without
    it, all threads would wait for time-outs, and requests such as /live would not be served in
    time.
    """

    def __init__(self) -> None:
        self._is_open = False
        self._probe = threading.Lock()

    def call(self, operation: Callable[[], Result]) -> Result:
        """Call an operation and return its result.

        Raises the operation's errors, and Unavailable while the breaker is open.
        """
        if not self._is_open:
            return self._record(operation)
        if not self._probe.acquire(timeout=PROBE_WAIT_SECONDS):
            raise Unavailable(UNRESPONSIVE.reason)
        try:
            return self._record(operation)
        finally:
            self._probe.release()

    def _record(self, operation: Callable[[], Result]) -> Result:
        is_open = False
        try:
            return operation()
        except Unresponsive:
            is_open = True
            raise
        finally:
            self._is_open = is_open
