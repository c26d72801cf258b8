"""Retries after transient faults, such as a serialization failure or a lost connection."""

import logging
import random
import time
from collections.abc import Callable
from typing import TypeVar

from xcom_server.errors import Unavailable
from xcom_server.storage.database.faults import CONTENDED, UNRESPONSIVE, Fault

ATTEMPTS = 4  # the maximum number of attempts, including the first
_PAUSE_SECONDS = 0.02  # the longest pause after the first attempt; n times as long after the nth

Result = TypeVar("Result")
_log = logging.getLogger("xcom_server.storage")


class Unresponsive(Unavailable):
    """The database does not respond at all, so that the next request would time out too."""


class AttemptFailed(Exception):
    """A statement or transaction failed; `__cause__` is the error of the driver or SQLAlchemy.

    `fault` is None if the database is not at fault.  The change is `in_doubt` if the commit failed
    and may have been stored.
    """

    def __init__(self, fault: Fault | None, *, committing: bool = False) -> None:
        super().__init__(fault)
        self.fault = fault
        self.in_doubt = committing and fault is not CONTENDED  # which means a rollback


def with_retries(attempt: Callable[[], Result]) -> Result:
    """Call `attempt` until it succeeds, at most ATTEMPTS times, and return its result.

    Only transient faults are retried.  Raises Unavailable for a fault, Unresponsive if the database
    does not respond, and the cause of an AttemptFailed without a fault.
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
        fault.reason + " (%s, attempt %d)",  # lines of one kind have one reason
        str(cause).partition("\n")[0] or type(cause).__name__,
        number,
    )
    if not retry:
        # Not for a COMMIT that waits for a standby: the database still serves other requests.
        kind = Unresponsive if fault is UNRESPONSIVE and not failed.in_doubt else Unavailable
        raise kind(fault.reason, failed.in_doubt) from cause
