"""Connects to PostgreSQL; the one place that uses psycopg and its semi-public members.

tests/storage/test_psycopg_adapter.py says which contract broke if a new release changes one.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from xcom_server.storage.database.faults import UNRESPONSIVE_SQLSTATE

HostPort = dict[str, Any]  # `host` and `port` of one host, or nothing to leave both to libpq


class NoAnswer(psycopg.OperationalError):
    """The server did not answer in time."""

    sqlstate = UNRESPONSIVE_SQLSTATE


def is_in_transaction(connection: Any) -> bool:
    """Return whether a transaction is open; unlike a ROLLBACK, this needs no round trip."""
    return bool(connection.pgconn.transaction_status != TransactionStatus.IDLE)


def bounded_connection(seconds: float | None) -> type[psycopg.Connection[Any]]:
    """Return a class of connections that raise NoAnswer if a wait takes longer; None is for ever.

    psycopg passes every wait for the server through `Connection.wait`.
    """

    class BoundedConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, timeout or seconds)
            except psycopg.OperationalError as error:
                if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                    raise
                self.pgconn.finish()  # a late answer would be taken for another statement's
                raise NoAnswer("the server has stopped answering") from error

    return BoundedConnection


class Connector:
    """Connects for SQLAlchemy's `do_connect` event, first to the host that answered last.

    `statement_timeout` is how long the connection waits for any answer, None for ever.
    """

    def __init__(self, timeout: float, statement_timeout: float | None) -> None:
        self._timeout = timeout
        self._connect = bounded_connection(statement_timeout).connect
        self._last: HostPort | None = None

    def __call__(
        self, dialect: Any, record: Any, arguments: list[Any], options: dict[str, Any]
    ) -> Any:
        """Return a connection.  Raises psycopg.OperationalError if no host answers in time."""
        hosts = sorted(_hosts(options), key=lambda host: host != self._last)
        for number, host in enumerate(hosts, 1):
            connect = partial(self._connect, *arguments, **options | host)
            try:
                connection = _within(self._timeout / len(hosts), connect)
            except psycopg.OperationalError:
                if number == len(hosts):
                    raise
            else:
                self._last = host
                break
        return connection


def _hosts(options: dict[str, Any]) -> list[HostPort]:
    """Return the hosts that libpq's comma-separated lists name, paired as libpq pairs them."""
    hosts = str(options.get("host", "")).split(",")
    ports = str(options.get("port", "")).split(",")
    if len(hosts) == 1 or len(ports) not in (1, len(hosts)) or "hostaddr" in options:
        return [{}]  # one host, or lists that libpq reads, or refuses, itself
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [{"host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]


def _within(seconds: float, connect: Callable[[], Any]) -> Any:
    """Return a connection that is made in a thread; raises NoAnswer after so many seconds."""
    future: Future[Any] = Future()
    threading.Thread(target=_fulfil, args=(future, connect), daemon=True).start()
    try:
        return future.result(seconds)
    except TimeoutError:
        if not future.cancel():  # it was made just now
            return future.result()
        raise NoAnswer("no host answered in time") from None


def _fulfil(future: "Future[Any]", connect: Callable[[], Any]) -> None:
    try:
        connection = connect()
    except Exception as error:  # of any kind: the waiting thread raises it
        with suppress(InvalidStateError):  # it has given up
            future.set_exception(error)
        return
    try:
        future.set_result(connection)
    except InvalidStateError:
        connection.close()
