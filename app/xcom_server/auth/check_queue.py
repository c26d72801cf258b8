"""A queue for argon2: one check at a time, and few threads that wait for it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from xcom_server.errors import TooManyAttempts

WAIT_SECONDS = 1  # how long a request waits for argon2 before it gets a 429


class CheckQueue:
    """Lets one check of a password run at a time, in this process.

    A request that waits holds a thread of the server.  Usually there are few, and all wait.  While
    passwords are being guessed, at most `strangers` wait from addresses that are not familiar.
    Instances are thread-safe.
    """

    def __init__(self, is_guessing: Callable[[], bool], strangers: int) -> None:
        self._is_guessing = is_guessing
        self._strangers = strangers
        self._changed = threading.Condition()
        self._is_busy = False
        self._waiting = {False: 0, True: 0}  # by whether the address is familiar

    @contextmanager
    def turn(self, *, is_familiar: bool) -> Iterator[None]:
        """Wait until no check runs, and let no other start before the end of the context.

        Raises TooManyAttempts at once if too many wait, and after WAIT_SECONDS.
        """
        self._begin(is_familiar)
        try:
            yield
        finally:
            with self._changed:
                self._is_busy = False
                self._changed.notify_all()

    def _begin(self, is_familiar: bool) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        with self._changed:
            self._waiting[is_familiar] += 1
            try:
                while self._is_busy or (self._waiting[True] and not is_familiar):
                    self._wait(is_familiar, deadline - time.monotonic())
                self._is_busy = True
            finally:
                self._waiting[is_familiar] -= 1
                self._changed.notify_all()

    def _wait(self, is_familiar: bool, seconds: float) -> None:
        """Wait for a change, and raise TooManyAttempts if there is none or too many wait."""
        too_many = not is_familiar and self._waiting[False] > self._strangers
        if too_many and self._is_guessing():
            raise TooManyAttempts(WAIT_SECONDS)
        if not self._changed.wait(seconds):
            raise TooManyAttempts(WAIT_SECONDS)
