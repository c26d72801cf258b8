"""Retries: an attempt that the database rolled back through no fault of its own is repeated."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from xcom_server.errors import Unavailable
from xcom_server.storage.database.faults import CONTENDED, UNRESPONSIVE, Fault

ATTEMPTS = 4  # how often a transaction is attempted in all
_PAUSE_SECONDS = 0.02  # the longest pause, times the number of the attempt before it

Result = TypeVar("Result")
_log = logging.getLogger("xcom_server.storage")


class Unresponsive(Unavailable):
    """The database does not answer at all, so that the next request would wait in vain too."""


class AttemptFailed(Exception):
    """A statement or transaction failed; its cause is the driver's or SQLAlchemy's error.

    `fault` is None if the database is not at fault.  The change is `in_doubt` if the connection
    was lost while it was being committed.
    """

    def __init__(self, fault: Fault | None, *, committing: bool = False) -> None:
        super().__init__(fault)
        self.fault = fault
        self.in_doubt = committing and fault is not CONTENDED  # this one reports a rollback


def with_retries(attempt: Callable[[], Result]) -> Result:
    """Return what an attempt returns, repeated after transient faults.

    Raises Unavailable, Unresponsive, and the cause of an AttemptFailed without a fault.
    """
    for number in range(1, ATTEMPTS + 1):
        try:
            return attempt()
        except AttemptFailed as failed:
            _raise_unless_transient(failed, number)
        time.sleep(random.uniform(0, _PAUSE_SECONDS * number))
    raise AssertionError("the last attempt returned or raised")


def _raise_unless_transient(failed: AttemptFailed, number: int) -> None:
    cause, fault = failed.__cause__, failed.fault
    if fault is None:
        raise cause from None  # type: ignore[misc]
    retry = fault.is_transient and not failed.in_doubt and number < ATTEMPTS
    _log.log(
        logging.INFO if retry else logging.WARNING,
        "%s (%s, try %d)",
        fault.reason,
        str(cause).partition("\n")[0] or type(cause).__name__,
        number,
    )
    if not retry:
        # A COMMIT that waits for a standby does not count: other requests are answered meanwhile.
        kind = Unresponsive if fault is UNRESPONSIVE and not failed.in_doubt else Unavailable
        raise kind(fault.reason, failed.in_doubt) from cause
