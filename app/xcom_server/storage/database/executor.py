"""The executor: runs statements and transactions, each of them whole or not at all."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from functools import lru_cache
from typing import Any, Literal, TypeVar

from sqlalchemy import Connection, PoolProxiedConnection
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from xcom_server.errors import Unavailable
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.breaker import CircuitBreaker
from xcom_server.storage.database.retry import AttemptFailed, with_retries
from xcom_server.storage.database.sqlalchemy_adapter import (
    CompiledStatement,
    Row,
    Statement,
    is_disconnect,
)
from xcom_server.storage.store import Observer

MAX_COMPILED = 256  # how many compiled statements are kept; clients send few shapes of queries
Result = TypeVar("Result")

Build = Callable[..., Statement]  # from a backend and the shape that the caller gives


class Executor:
    """Runs statements on a backend.

    Each method raises errors.Unavailable if the database is unavailable.
    """

    def __init__(self, backend: Backend, observer: Observer) -> None:
        self.backend = backend
        self._observer = observer
        self._breaker = CircuitBreaker()
        self._compiled = lru_cache(maxsize=MAX_COMPILED)(self._compile)

    def read(self, build: Build, parameters: dict[str, Any], *shape: Any) -> list[Row]:
        """Return the rows of a statement that reads, in autocommit."""
        statement = self._compiled(build, *shape)
        return self._run("read", lambda: self._read(statement, parameters))

    def execute(self, build: Build, parameters: dict[str, Any], *shape: Any) -> list[Row]:
        """Return the rows of a statement that writes, once they are stored durably."""
        statement = self._compiled(build, *shape)
        return self._run("write", lambda: self._execute(statement, parameters))

    def transaction(
        self, work: Callable[[Connection], Result], *, since: float | None = None
    ) -> Result:
        """Return what `work` returns, once its changes are stored durably.

        `work` may be called several times.  `since` is when the caller began to wait for the
        writer lock, by time.monotonic().  If `work` raises, nothing is stored.
        """
        return self._run("write", lambda: self._transact(work, since))

    @contextmanager
    def unavailable_on_fault(self) -> Iterator[None]:
        """Turn a fault of the database into Unavailable, without a retry."""
        try:
            yield
        except (SQLAlchemyError, self.backend.driver_error) as error:
            fault = self.backend.classify(error)
            if fault is None:
                raise
            raise Unavailable(fault.reason) from error

    def _compile(self, build: Build, *shape: Any) -> CompiledStatement:
        return CompiledStatement(
            build(self.backend, *shape), self.backend.dialect, self.backend.read_datetimes
        )

    def _run(self, kind: Literal["read", "write"], attempt: Callable[[], Result]) -> Result:
        start = time.perf_counter()
        try:
            return self._breaker.call(lambda: with_retries(attempt))
        finally:
            self._observer.operation(kind, time.perf_counter() - start)

    def _read(self, statement: CompiledStatement, parameters: dict[str, Any]) -> list[Row]:
        with self._raw_connection() as connection:
            return statement.run(connection.cursor(), parameters)

    def _execute(self, statement: CompiledStatement, parameters: dict[str, Any]) -> list[Row]:
        # The connection first: a writer that holds the lock must not wait for one.
        with self._raw_connection() as connection, self.backend.writer_lock():
            try:
                cursor = connection.cursor()
                cursor.execute(self.backend.begin)
                rows = statement.run(cursor, parameters)
                if rows:
                    self._commit(connection)
                else:  # nothing was changed
                    connection.rollback()
                return rows
            except BaseException:  # roll back before another writer gets the lock
                if connection.is_valid:
                    with suppress(self.backend.driver_error):  # the connection may be the reason
                        connection.rollback()
                raise

    def _commit(self, connection: PoolProxiedConnection) -> None:
        try:
            connection.commit()
        except self.backend.errors as error:
            raise self._failure(error, connection, committing=True) from error

    @contextmanager
    def _raw_connection(self) -> Iterator[PoolProxiedConnection]:
        """Yield a connection without SQLAlchemy's execution; its errors become AttemptFailed."""
        connection = None
        try:
            connection = self.backend.engine.raw_connection()
            yield connection
        except self.backend.errors as error:
            raise self._failure(error, connection) from error
        finally:
            if connection is not None:
                connection.close()

    def _failure(
        self,
        error: Exception,
        connection: PoolProxiedConnection | None,
        *,
        committing: bool = False,
    ) -> AttemptFailed:
        """Return what an error means for a retry, and discard a connection of no further use."""
        is_lost = connection is not None and is_disconnect(self.backend.engine, error, connection)
        fault = self.backend.classify(error, is_lost=is_lost)
        if is_lost:
            self.backend.discard_connections()
        if connection and (is_lost or (fault is not None and fault.drops_connection)):
            connection.invalidate(error)
        return AttemptFailed(fault, committing=committing)

    def _transact(self, work: Callable[[Connection], Result], since: float | None) -> Result:
        committing = False
        try:
            with self.backend.writing.connect() as connection, self.backend.writer_lock(since):
                with closing(connection.begin()) as transaction:  # rolls back before it unlocks
                    result = self._work(connection, work)
                    committing = True
                    transaction.commit()
                return result
        except self.backend.errors as error:
            raise AttemptFailed(self.backend.classify(error), committing=committing) from error

    def _work(self, connection: Connection, work: Callable[[Connection], Result]) -> Result:
        try:
            return work(connection)
        except DBAPIError as error:
            fault = self.backend.classify(error)
            if fault is not None and fault.drops_connection:
                connection.invalidate()
            raise
