"""A database, and the one way to it: statements and transactions, tried again where that may help.

Whatever a database cannot do now is told as xcom_server.errors.Unavailable.
"""

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, InvalidRequestError, TimeoutError

from xcom_server.errors import Unavailable
from xcom_server.storage.database.compiled import CompiledStatement
from xcom_server.storage.database.engine import begin, for_writing, turns_of
from xcom_server.storage.database.faults import CONTENDED, UNRESPONSIVE, Fault, classify
from xcom_server.storage.database.writer_lock import WriterLockTimeout

ATTEMPTS = 4
"""How often a transaction is tried that the database undid through no fault of its own."""

_PAUSE_SECONDS = 0.02

_FOLLOW_SECONDS = 0.1
"""How long one waits to hear from whoever finds out whether the database answers again."""

Work = TypeVar("Work")
Row = tuple[Any, ...]
Observe = Callable[[str, float], None]
"""Is told of each statement or transaction: was it a `read` or a `write`, and its seconds."""

_log = logging.getLogger("xcom_server.storage")


class Database:
    """Runs statements and transactions of an engine, each of them whole or not at all."""

    def __init__(self, engine: Engine, observe: Observe = lambda kind, seconds: None) -> None:
        self.dialect = engine.dialect
        self._engine = engine
        self._writing = for_writing(engine)
        self._begin = begin(engine)
        self._turns = turns_of(engine)
        self._observe = observe
        self._is_silent = False
        self._finding_out = threading.Lock()
        self._driver_error: type[Exception] = engine.dialect.loaded_dbapi.Error
        self._errors = (DBAPIError, self._driver_error, InvalidRequestError, TimeoutError, WriterLockTimeout,
                        OSError)

    def rows(self, statement: CompiledStatement, given: dict[str, Any]) -> list[Row]:
        """Return the rows that a statement reads. Raises Unavailable."""
        return self._timed("read", lambda: self._read(statement, given))

    def changed(self, statement: CompiledStatement, given: dict[str, Any]) -> list[Row]:
        """Return the rows that a statement returns of its change, once that is stored durably.

        Raises Unavailable.
        """
        return self._timed("write", lambda: self._change(statement, given))

    def write(self, work: Callable[[Connection], Work], *, since: float | None = None) -> Work:
        """Return what `work` returns, once it is stored durably; it may be called several times.

        `since` is when the caller began to wait for its turn, by time.monotonic(). Raises
        Unavailable, and whatever `work` raises, with nothing stored.
        """
        return self._timed("write", lambda: self._transact(work, since))

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
            raise Unavailable(UNRESPONSIVE.reason)
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
            is_silent = error.reason == UNRESPONSIVE.reason and not error.in_doubt
            raise
        finally:
            self._is_silent = is_silent

    def _read(self, statement: CompiledStatement, given: dict[str, Any]) -> list[Row]:
        """Run a statement by itself: what it reads is of one moment, and there is nothing to undo.
        """
        connection = None
        try:
            connection = self._engine.raw_connection()
            return statement.rows(connection.cursor(), given)
        except self._errors as error:
            raise self._failed(error, connection, committing=False) from error
        finally:
            if connection is not None:
                connection.close()

    def _change(self, statement: CompiledStatement, given: dict[str, Any]) -> list[Row]:
        connection, committing = None, False
        try:
            connection = self._engine.raw_connection()  # first, as in _transact
            with self._turns.turn(), _undone(connection, self._driver_error):
                cursor = connection.cursor()
                cursor.execute(self._begin)
                rows = statement.rows(cursor, given)
                if rows:
                    committing = True
                    connection.commit()
                else:
                    connection.rollback()  # nothing was changed
            return rows
        except self._errors as error:
            raise self._failed(error, connection, committing=committing) from error
        finally:
            if connection is not None:
                connection.close()

    def _transact(self, work: Callable[[Connection], Work], since: float | None) -> Work:
        committing = False
        try:
            # The connection first: whoever has the turn must not wait for one.
            with self._writing.connect() as connection, self._turns.turn(since):
                with closing(connection.begin()) as transaction:  # which undoes it, within the turn
                    done = _worked(connection, work)
                    committing = True
                    transaction.commit()
                return done
        except self._errors as error:
            raise _Failed(classify(error), committing=committing) from error

    def _failed(self, error: Exception, connection: PoolProxiedConnection | None, *,
                committing: bool) -> "_Failed":
        """Return what an error of the driver means, and let go of a connection that is no use."""
        is_lost = connection is not None and self.dialect.is_disconnect(
            error, connection.dbapi_connection, None)  # type: ignore[arg-type]
        if is_lost:  # as SQLAlchemy does where it meets it: the others in the pool are as old
            self._engine.pool._invalidate(connection, error)  # type: ignore[arg-type]
        elif connection is not None and _is_read_only(error):
            connection.invalidate(error)
        return _Failed(classify(error, is_lost=is_lost), committing=committing)


@contextmanager
def _undone(connection: PoolProxiedConnection, errors: type[Exception]) -> Iterator[None]:
    """Undo what fails, before others have their turn."""
    try:
        yield
    except BaseException:
        with suppress(errors):  # the connection may be the reason
            connection.rollback()
        raise


def _worked(connection: Connection, work: Callable[[Connection], Work]) -> Work:
    try:
        return work(connection)
    except DBAPIError as error:
        if _is_read_only(error.orig):
            connection.invalidate()
        raise


def _is_read_only(error: BaseException | None) -> bool:
    """Say whether PostgreSQL refused a change for being a standby: no use to anybody."""
    return getattr(error, "sqlstate", None) == "25006"


class _Failed(Exception):
    """A statement or transaction failed; its cause is the driver's error."""

    def __init__(self, fault: Fault | None, *, committing: bool) -> None:
        super().__init__(fault)
        self.fault = fault
        self.in_doubt = committing and fault is not CONTENDED  # which is told of what was undone


def _tried(run: Callable[[], Work]) -> Work:
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return run()
        except _Failed as failed:
            error, fault = failed.__cause__, failed.fault
            if fault is None:
                raise error from None  # type: ignore[misc]
            again = fault.is_transient and not failed.in_doubt and attempt < ATTEMPTS
            _log.log(logging.INFO if again else logging.WARNING, "%s (%s, try %d)", fault.reason,
                     _in_a_line(error), attempt)
            if not again:
                raise Unavailable(fault.reason, failed.in_doubt) from error
        time.sleep(random.uniform(0, _PAUSE_SECONDS * attempt))
    raise AssertionError("the last try returned or raised")


def _in_a_line(error: BaseException | None) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
