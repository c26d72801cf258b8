"""Connections to PostgreSQL; the only module that uses semi-public members of psycopg.

tests/storage/test_psycopg_adapter.py names the one that a new release of psycopg breaks.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from xcom_server.storage.database import faults
from xcom_server.storage.database.faults import Fault
from xcom_server.storage.database.postgres_refusal import sqlstate_of_refusal

HostPort = dict[str, Any]  # `host` and `port` of one host, or empty to leave both to libpq


class NoResponse(psycopg.OperationalError):
    """The server did not respond in time."""

    fault = faults.UNRESPONSIVE


class UnusableDatabase(psycopg.OperationalError):
    """The server has accepted the connection, but its database cannot be used."""

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


def is_in_transaction(connection: Any) -> bool:
    """Return whether a transaction is open; unlike a ROLLBACK, this needs no round trip."""
    return bool(connection.pgconn.transaction_status != TransactionStatus.IDLE)


def bounded_connection(seconds: float | None) -> type[psycopg.Connection[Any]]:
    """Return a connection class that raises NoResponse if a wait takes longer; None sets no limit.

    Relies on psycopg waiting for the server only in `Connection.wait`.
    """

    class BoundedConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, timeout or seconds)
            except psycopg.OperationalError as error:
                if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                    raise
                self.pgconn.finish()  # a late response would be read as the next statement's
                raise NoResponse("the server has stopped responding") from error

    return BoundedConnection


class Connector:
    """A handler of SQLAlchemy's `do_connect` event that tries the last reachable host first.

    Both time-outs are in seconds.  `timeout` limits connecting to all hosts, `statement_timeout`
    every wait for the server afterwards; None sets no limit.  `start` is called with each new
    connection.
    """

    def __init__(
        self, timeout: float, statement_timeout: float | None, start: Callable[[Any], None]
    ) -> None:
        self._timeout = timeout
        self._connect = bounded_connection(statement_timeout).connect
        self._start = start
        self._last: HostPort | None = None

    def __call__(
        self, dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        """Return a new connection.  Raises psycopg.OperationalError if no host accepts one."""
        hosts = sorted(_hosts(options), key=lambda host: host != self._last)
        for number, host in enumerate(hosts, 1):
            connect = partial(self._open, *arguments, **options | host)
            try:
                connection = _within(self._timeout / len(hosts), connect)
            except psycopg.OperationalError:
                if number == len(hosts):
                    raise
            else:
                self._last = host
                break
        return connection

    def _open(self, *arguments: Any, **options: Any) -> Any:
        try:
            connection = self._connect(*arguments, **options)
        except psycopg.OperationalError as error:
            error.sqlstate = _sqlstate(error)
            raise
        try:
            self._start(connection)
        except BaseException:
            connection.close()
            raise
        return connection


def _sqlstate(error: psycopg.OperationalError) -> str | None:
    """Return the SQLSTATE of a failed connection, which libpq does not return, or None."""
    connection = error.pgconn
    if connection is None or isinstance(error, psycopg.errors.ConnectionTimeout):
        return error.sqlstate
    host = (connection.hostaddr or connection.host).decode()
    return sqlstate_of_refusal(host, connection.port.decode())


def _hosts(options: dict[str, Any]) -> list[HostPort]:
    """Return the hosts in libpq's comma-separated lists, paired with ports as libpq does."""
    hosts = str(options.get("host", "")).split(",")
    ports = str(options.get("port", "")).split(",")
    if len(hosts) == 1 or len(ports) not in (1, len(hosts)) or "hostaddr" in options:
        return [{}]  # one host, or lists that are left to libpq
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [{"host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]


def _within(seconds: float, connect: Callable[[], Any]) -> Any:
    """Connect in a thread and return the connection.  Raises NoResponse after these seconds."""
    future: Future[Any] = Future()
    threading.Thread(target=_fulfil, args=(future, connect), daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if not future.cancel():  # it has connected just now
            return future.result()
        raise NoResponse("no host responded in time") from None


def _fulfil(future: "Future[Any]", connect: Callable[[], Any]) -> None:
    try:
        connection = connect()
    except Exception as error:  # the waiting thread raises it
        with suppress(InvalidStateError):  # the waiting thread has timed out
            future.set_exception(error)
        return
    try:
        future.set_result(connection)
    except InvalidStateError:
        connection.close()
