"""PostgreSQL, over psycopg: every wait has an end, and of several hosts the one that writes is met.

libpq gives a host two seconds at least to answer, and a statement for ever; a client would have to
wait as long.  So a connection is made in a thread of its own, and a connection whose server has
stopped to answer is given up.
"""

import math
import select
import threading
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from functools import partial
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError

from xcom_server.storage.limits import Limits

NO_ANSWER = "XCOM0"
"""The SQLSTATE, of no class that PostgreSQL has, of a server that stopped to answer."""

IDLE = 0
"""libpq's PQTRANS_IDLE: no transaction is under way."""

GRACE_SECONDS = 0.25
"""How much later than the server, which knows more, a client gives a statement up."""


def engine(url: URL, limits: Limits) -> Engine:
    """Return an engine for a PostgreSQL URL; raises ModuleNotFoundError without psycopg."""
    arguments: dict[str, Any] = {
        "connect_timeout": _seconds(limits.connect_timeout_seconds), "application_name": "xcom-server"}
    arguments |= {name: url.query[name] for name in arguments if name in url.query}
    # A statement that reads needs no BEGIN and no ROLLBACK, each of which goes there and back.
    arguments |= {"options": _options(url, limits), "autocommit": True}
    if not limits.prepared_statements:
        arguments["prepare_threshold"] = None
    made = create_engine(
        url, hide_parameters=True, connect_args=arguments,
        pool_size=limits.pool_size, max_overflow=0, pool_timeout=limits.pool_timeout_seconds,
        pool_reset_on_return=None)
    event.listen(made, "begin", _begin)
    event.listen(made, "reset", _undo)
    event.listen(made, "checkout", _refuse_stale)
    event.listen(made, "checkin", _leave_transactions)
    if url.get_driver_name() == "psycopg":
        event.listen(made, "do_connect", _connector(limits))
    return made


def _begin(connection: Connection) -> None:
    """Let the driver begin a transaction before the first statement, unless none is wanted."""
    driver: Any = connection.connection.dbapi_connection
    driver.autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _undo(connection: Any, record: Any, state: Any) -> None:
    """Undo what was not ended; to ask the driver to where there is nothing takes ten times this."""
    if connection.pgconn.transaction_status != IDLE:
        connection.rollback()


def _leave_transactions(connection: Any, record: Any) -> None:
    if connection is not None and not connection.closed and not connection.autocommit:
        connection.autocommit = True


def _refuse_stale(connection: Any, record: Any, proxy: Any) -> None:
    """Refuse a connection that has something to say while nobody asked: mostly, that it is closed.

    The others in the pool are as old and go with it.
    """
    if connection.closed or _has_something_to_say(connection.fileno()):
        raise InvalidatePoolError("the connection was closed")


def _has_something_to_say(descriptor: int) -> bool:
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(0))


def _options(url: URL, limits: Limits) -> str:
    times = {"statement_timeout": limits.statement_timeout_seconds,
             "lock_timeout": limits.lock_timeout_seconds}
    set_here = [f"-c {name}={time * 1000:.0f}" for name, time in times.items() if time]
    # Dates near year 1 can only be read where the session's zone is UTC.
    given = url.query.get("options", ())
    return " ".join([*set_here, *([given] if isinstance(given, str) else given),
                     "-c timezone=UTC"])


def _seconds(timeout: float) -> int:
    return max(2, math.ceil(timeout))  # libpq's least is 2


def _connector(limits: Limits) -> Callable[..., Any]:
    """Return what connects to the hosts of an URL in turn, first to the one that was good last."""
    bounded = _bounded_connection(limits)
    good: list[dict[str, Any]] = []

    def connect(dialect: Any, record: Any, arguments: list[Any], named: dict[str, Any]) -> Any:
        hosts = sorted(_hosts(named), key=lambda host: host not in good)
        seconds = limits.connect_timeout_seconds / len(hosts)
        for number, host in enumerate(hosts, 1):
            try:
                made = _in_time(seconds, partial(bounded.connect, *arguments, **named | host))
            except dialect.dbapi.OperationalError:
                if number == len(hosts):
                    raise
            else:
                good[:] = [host]
                break
        return made
    return connect


def _hosts(named: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the host and port of each host that libpq's lists name, as libpq pairs them."""
    hosts = str(named.get("host", "")).split(",")
    ports = str(named.get("port", "")).split(",")
    if len(hosts) == 1 or len(ports) not in (1, len(hosts)) or "hostaddr" in named:
        return [{}]  # one place, or lists that libpq reads, or refuses, itself
    ports = ports * len(hosts) if len(ports) == 1 else ports
    return [{"host": host, "port": port} for host, port in zip(hosts, ports, strict=True)]


def _in_time(seconds: float, connect: Callable[[], Any]) -> Any:
    """Return a connection; raises psycopg.OperationalError after so many seconds."""
    made: Future[Any] = Future()
    threading.Thread(target=_fulfil, args=(made, connect), daemon=True).start()
    try:
        return made.result(seconds or None)
    except TimeoutError:
        if not made.cancel():  # it came at the last moment
            return made.result()
        raise _no_answer("no host answered in time") from None


def _no_answer(words: str) -> Exception:
    import psycopg

    error = psycopg.OperationalError(words)
    error.sqlstate = NO_ANSWER
    return error


def _fulfil(made: "Future[Any]", connect: Callable[[], Any]) -> None:
    try:
        connection = connect()
    except Exception as error:  # whatever it is, it is for whoever waits
        _settle(made.set_exception, error)
    else:
        if not _settle(made.set_result, connection):
            connection.close()


def _settle(settle: Callable[[Any], None], outcome: Any) -> bool:
    """Hand an outcome over; returns False where nobody waits for it any more."""
    try:
        settle(outcome)
    except InvalidStateError:
        return False
    return True


def _bounded_connection(limits: Limits) -> Any:
    """Return the class of connections that give up a server which has stopped to answer."""
    import psycopg
    from psycopg.pq import TransactionStatus

    seconds = limits.statement_timeout_seconds
    end = seconds + GRACE_SECONDS if seconds else None

    class BoundedConnection(psycopg.Connection[Any]):
        def wait(self, gen: Any, interval: float = 0.1, timeout: float | None = None) -> Any:
            try:
                return super().wait(gen, interval, timeout or end)
            except psycopg.OperationalError as error:
                if self.pgconn.transaction_status != TransactionStatus.ACTIVE:
                    raise
                self.pgconn.finish()  # what it still says would be taken for another answer
                raise _no_answer("the server has stopped answering") from error

    return BoundedConnection
