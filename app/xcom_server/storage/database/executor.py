"""The executor: it runs statements and transactions with retries and a circuit breaker."""

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
from xcom_server.storage.database.searches import Searches
from xcom_server.storage.database.sqlalchemy_adapter import (
    CompiledStatement,
    Row,
    Statement,
    is_disconnect,
)
from xcom_server.storage.store import Observer

MAX_COMPILED = 256  # the maximum of cached statements; clients use few query shapes
Result = TypeVar("Result")

Build = Callable[..., Statement]  # takes a backend and the query shape


class Executor:
    """Runs statements on a backend.

    Every method raises errors.Unavailable if the database is unavailable.
    """

    def __init__(self, backend: Backend, observer: Observer) -> None:
        self.backend = backend
        self._observer = observer
        self._breaker = CircuitBreaker()
        self._searches = Searches(backend.limits.threads, backend.limits.pool_timeout_seconds)
        self._compiled = lru_cache(maxsize=MAX_COMPILED)(self._compile)

    def read(self, build: Build, parameters: dict[str, Any], *shape: Any) -> list[Row]:
        """Run a reading statement in autocommit mode and return its rows."""
        statement = self._compiled(build, *shape)
        return self._run("read", lambda: self._read(statement, parameters))

    def search(self, build: Build, parameters: dict[str, Any], *shape: Any) -> list[Row]:
        """Read as `read` does, while at most half of the threads do so."""
        with self._searches.one():
            return self.read(build, parameters, *shape)

    def execute(self, build: Build, parameters: dict[str, Any], *shape: Any) -> list[Row]:
        """Run a writing statement in a transaction and return its rows after the commit."""
        statement = self._compiled(build, *shape)
        return self._run("write", lambda: self._execute(statement, parameters))

    def append(self, build: Build, parameters: dict[str, Any], *shape: Any) -> list[Row]:
        """Run a short writing statement in autocommit mode and return its rows.

        It needs fewer round trips than `execute`, and does not wait fairly for other writers.
        """
        statement = self._compiled(build, *shape)
        return self._run("write", lambda: self._read(statement, parameters, committing=True))

    def transaction(
        self, work: Callable[[Connection], Result], *, since: float | None = None
    ) -> Result:
        """Call `work` in a transaction and return its result after the commit.

        `work` may be called several times; if it raises, the transaction is rolled back.  `since`
        is when the caller began to wait for the writer lock, in seconds of time.monotonic().
        """
        return self._run("write", lambda: self._transact(work, since))

    @contextmanager
    def unavailable_on_fault(self) -> Iterator[None]:
        """Turn errors of the database into Unavailable, without a retry."""
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

    def _read(
        self, statement: CompiledStatement, parameters: dict[str, Any], *, committing: bool = False
    ) -> list[Row]:
        with self._raw_connection(committing=committing) as connection:
            return statement.run(connection.cursor(), parameters)

    def _execute(self, statement: CompiledStatement, parameters: dict[str, Any]) -> list[Row]:
        # Take the connection first: a writer that holds the lock must not wait for one.
        with self._raw_connection() as connection, self.backend.writer_lock():
            try:
                cursor = connection.cursor()
                cursor.execute(self.backend.begin)
                rows = statement.run(cursor, parameters)
                if rows:
                    self._commit(connection)
                else:  # no row was changed
                    connection.rollback()
                return rows
            except BaseException:  # roll back before another writer gets the lock
                if connection.is_valid:
                    with suppress(self.backend.driver_error):  # the connection may be broken
                        connection.rollback()
                raise

    def _commit(self, connection: PoolProxiedConnection) -> None:
        try:
            connection.commit()
        except self.backend.errors as error:
            raise self._failure(error, connection, committing=True) from error

    @contextmanager
    def _raw_connection(self, *, committing: bool = False) -> Iterator[PoolProxiedConnection]:
        """Yield a connection of the driver; turn its errors into AttemptFailed."""
        connection = None
        try:
            connection = self.backend.engine.raw_connection()
            yield connection
        except self.backend.errors as error:
            is_sent = committing and connection is not None
            raise self._failure(error, connection, committing=is_sent) from error
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
        """Return the failure for an error, and discard the connection if it is unusable."""
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
                with closing(connection.begin()) as transaction:  # rolls back before the unlock
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
