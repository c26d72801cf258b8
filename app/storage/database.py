"""A database, and the one way to it: whole transactions, tried again where that may help.

Whatever a database cannot do now is told as app.errors.Unavailable.
"""

import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from typing import TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, TimeoutError

from app.errors import Unavailable
from app.storage.engine import for_writing, turns_of
from app.storage.faults import CONTENDED, SILENT, Fault, fault_of
from app.storage.turns import NoTurn

ATTEMPTS = 4
"""How often a transaction is tried that the database undid through no fault of its own."""

_PAUSE_SECONDS = 0.02

_FOLLOW_SECONDS = 0.1
"""How long one waits to hear from whoever finds out whether the database answers again."""

Work = TypeVar("Work")
Observe = Callable[[str, float], None]
"""Is told after each transaction what it was, `read` or `write`, and how many seconds it took."""

_log = logging.getLogger("app.storage")


class Database:
    """Runs work in transactions of an engine, each of them whole or not at all."""

    def __init__(self, engine: Engine, observe: Observe = lambda kind, seconds: None) -> None:
        self._engine = engine
        self._writing = for_writing(engine)
        self._turns = turns_of(engine)
        self._observe = observe
        self._is_silent = False
        self._finding_out = threading.Lock()

    def read(self, work: Callable[[Connection], Work]) -> Work:
        """Return what `work` returns; it may be called several times. Raises Unavailable."""
        return self._timed("read", lambda: self._once(self._engine, work, commit=False))

    def write(self, work: Callable[[Connection], Work]) -> Work:
        """Return what `work` returns, once it is stored durably; it may be called several times.

        Raises Unavailable, and whatever `work` raises, with nothing stored.
        """
        return self._timed("write", lambda: self._once(self._writing, work, commit=True))

    def _timed(self, kind: str, run: Callable[[], Work]) -> Work:
        start = time.perf_counter()
        try:
            return self._unless_silent(run)
        finally:
            self._observe(kind, time.perf_counter() - start)

    def _unless_silent(self, run: Callable[[], Work]) -> Work:
        """Run, but while the database does not answer, let one at a time find out whether it does.

        The others are told soon: if each waited as long, all threads would, and nobody who comes
        later, /live among them, would be answered in time.
        """
        if not self._is_silent:
            return self._listening(run)
        if not self._finding_out.acquire(timeout=_FOLLOW_SECONDS):
            raise Unavailable(SILENT.reason)
        try:
            return self._listening(run)
        finally:
            self._finding_out.release()

    def _listening(self, run: Callable[[], Work]) -> Work:
        is_silent = False  # whatever it answers, an entry that is not there, say
        try:
            return _tried(run)
        except Unavailable as error:
            # A COMMIT that waits for a standby is no silence: others are answered meanwhile.
            is_silent = error.reason == SILENT.reason and not error.in_doubt
            raise
        finally:
            self._is_silent = is_silent

    def _once(self, engine: Engine, work: Callable[[Connection], Work], *, commit: bool) -> Work:
        committing = False
        try:
            # The connection first: whoever has the turn must not wait for one.
            with engine.connect() as connection, self._turn(commit):
                with closing(connection.begin()) as transaction:  # which undoes it, within the turn
                    done = _worked(connection, work)
                    if commit:
                        committing = True
                        transaction.commit()
                return done
        except (DBAPIError, TimeoutError, NoTurn, OSError) as error:
            raise _Failed(fault_of(error), in_doubt=committing) from error

    def _turn(self, writes: bool) -> AbstractContextManager[None]:
        return self._turns.turn() if writes else nullcontext()


def _worked(connection: Connection, work: Callable[[Connection], Work]) -> Work:
    try:
        return work(connection)
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "25006":  # read-only: no use to anybody
            connection.invalidate()
        raise


class _Failed(Exception):
    """A transaction failed; its cause is the driver's error."""

    def __init__(self, fault: Fault | None, *, in_doubt: bool) -> None:
        super().__init__(fault)
        self.fault = fault
        self.in_doubt = in_doubt and fault is not CONTENDED  # which is told of what was undone


def _tried(run: Callable[[], Work]) -> Work:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return run()
        except _Failed as failed:
            error, fault = failed.__cause__, failed.fault
            if fault is None:
                raise error from None  # type: ignore[misc]
            again = fault.is_passing and not failed.in_doubt and attempt < ATTEMPTS
            _log.log(logging.INFO if again else logging.WARNING, "%s (%s, try %d)", fault.reason,
                     _in_a_line(error), attempt)
            if not again:
                raise Unavailable(fault.reason, failed.in_doubt) from error
        time.sleep(random.uniform(0, _PAUSE_SECONDS * attempt))
    raise AssertionError("the last try returned or raised")


def _in_a_line(error: BaseException | None) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
