"""PostgreSQL over psycopg, with time-outs for every wait and failover between several hosts.

libpq waits for a host for at least two seconds, and for a statement without limit.  So each
connection is opened in a thread (psycopg_adapter.py), and is closed if the server does not respond
in time.
"""

import math
import select
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import DBAPIError, InvalidatePoolError, SQLAlchemyError

from xcom_server.storage.database import faults
from xcom_server.storage.database.backend import Backend, Limits
from xcom_server.storage.database.faults import Fault
from xcom_server.storage.database.postgres_refusal import REFUSED
from xcom_server.storage.database.sqlalchemy_adapter import in_utc

GRACE_SECONDS = 0.25  # how much longer the client waits than the server, whose error says more

# Behind a connection pooler that does not support prepared statements.
_NOT_PREPARED = Fault(
    "The database has lost a prepared statement.", is_transient=True, drops_connection=True
)

_BY_SQLSTATE = {
    REFUSED: Fault("The database did not accept the connection."),
    "26000": _NOT_PREPARED,
    "42P05": _NOT_PREPARED,
    "40001": faults.CONTENDED,
    "40P01": faults.CONTENDED,
    "23503": faults.CONTENDED,  # the parent of a new row was deleted meanwhile
    "55P03": faults.LOCKED,
    "57014": faults.TOO_SLOW,
    # The former primary is now a standby, so another host may be the primary.
    "25006": Fault(faults.READ_ONLY.reason, is_transient=True, drops_connection=True),
    "42P01": faults.NO_TABLES,
    "42703": faults.NO_TABLES,
    "42501": Fault("The database role lacks a permission."),
    "53100": faults.FULL,
    "53300": Fault("The database accepts no more connections."),
    "25P03": faults.LOST,
    "25P04": faults.TOO_SLOW,
    "57P01": faults.LOST,
    "57P02": faults.LOST,
    "57P03": Fault("The database is starting or shutting down."),
    "57P05": faults.LOST,
}
_BY_SQLSTATE_CLASS = {
    "08": faults.LOST,
    "53": Fault("The database is out of resources."),
    "57": Fault("The database interrupted the request."),
    "58": Fault("The database has a disk error."),
}


class PostgresBackend(Backend):
    """PostgreSQL, which queues writers itself."""

    driver = "psycopg"
    begin = "BEGIN"
    insert = postgresql.Insert
    upgrades_itself = False

    def _create_engine(self, url: URL, limits: Limits) -> Engine:
        engine = create_engine(
            url,
            hide_parameters=True,
            connect_args=_connect_arguments(url, limits),
            pool_size=limits.pool_size,
            max_overflow=0,
            pool_timeout=limits.pool_timeout_seconds,
            pool_reset_on_return=None,
        )
        # Imported here because psycopg is optional; create_engine has checked that it exists.
        from xcom_server.storage.database.postgres_session import start_session
        from xcom_server.storage.database.psycopg_adapter import Connector, is_in_transaction

        def roll_back(connection: Any, record: Any, state: Any) -> None:
            if is_in_transaction(connection):
                connection.rollback()

        event.listen(engine, "begin", _leave_autocommit)
        event.listen(engine, "reset", roll_back)
        event.listen(engine, "checkout", _refuse_stale)
        event.listen(engine, "checkin", _restore_autocommit)
        statement = limits.statement_timeout_seconds
        event.listen(
            engine,
            "do_connect",
            Connector(
                limits.connect_timeout_seconds,
                statement + GRACE_SECONDS if statement else None,
                start_session,
            ),
        )
        return engine

    def create_missing(self) -> None:
        """Do nothing: an operator creates the database."""

    def read_datetimes(
        self, columns: Sequence[Sequence[datetime | None]]
    ) -> list[list[datetime | None]]:
        """Convert columns of datetimes to UTC; psycopg returns them in the session's time zone."""
        return [
            [value if value is None or value.tzinfo is UTC else in_utc(value) for value in column]
            for column in columns
        ]

    def analyze(self, connection: Connection, tables: Iterable[str]) -> None:
        """Update the statistics of tables, and discard the plans of foreign key checks.

        Those plans were made when the tables were nearly empty, and would read all runs of a DAG
        for each task instance.
        """
        connection.execute(text(f"ANALYZE {', '.join(tables)}"))

    def lift_time_limit(self, connection: Connection) -> None:
        """Do nothing: only commands upgrade PostgreSQL, and they have no time limit."""

    def transaction_lock(self, connection: Connection, name: str) -> None:
        """Take an advisory lock by name, which is released when the transaction ends."""
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:name))"), {"name": name})

    def lock_tables(self, connection: Connection, tables: Iterable[str]) -> None:
        """Wait until no other transaction has written to the tables, and let none write."""
        connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE ROW EXCLUSIVE MODE"))

    def describe(self, error: SQLAlchemyError) -> str:
        """Return an error in one line; the errors of this server are complete sentences."""
        original = error.orig if isinstance(error, DBAPIError) else None
        return str(original) if hasattr(original, "fault") else super().describe(error)

    def _fault_of(self, error: BaseException | None) -> Fault | None:
        if fault := getattr(error, "fault", None):
            return fault  # type: ignore[no-any-return]
        state = getattr(error, "sqlstate", None) or ""
        return _BY_SQLSTATE.get(state) or _BY_SQLSTATE_CLASS.get(state[:2])


def _connect_arguments(url: URL, limits: Limits) -> dict[str, Any]:
    # libpq accepts whole seconds, at least two.
    arguments: dict[str, Any] = {
        "connect_timeout": max(2, math.ceil(limits.connect_timeout_seconds)),
        "application_name": "xcom-server",
    }
    arguments |= {name: url.query[name] for name in arguments if name in url.query}
    # The encoding overrides PGCLIENTENCODING and those of the database, the role and the URL.
    arguments["client_encoding"] = "UTF8"
    # With autocommit, a reading statement needs no BEGIN and ROLLBACK, each of them a round trip.
    arguments |= {"options": _options(url, limits), "autocommit": True}
    if not limits.prepared_statements:
        arguments["prepare_threshold"] = None
    return arguments


def _options(url: URL, limits: Limits) -> str:
    timeouts = {
        "statement_timeout": limits.statement_timeout_seconds,
        "lock_timeout": limits.lock_timeout_seconds,
    }
    options = [f"-c {name}={seconds * 1000:.0f}" for name, seconds in timeouts.items()]
    of_url = url.query.get("options", ())
    return " ".join([*options, *([of_url] if isinstance(of_url, str) else of_url)])


def _leave_autocommit(connection: Connection) -> None:
    """Turn autocommit off for a transaction, unless the caller has chosen it."""
    driver: Any = connection.connection.driver_connection
    driver.autocommit = connection.get_execution_options().get("isolation_level") == "AUTOCOMMIT"


def _restore_autocommit(connection: Any, record: Any) -> None:
    if connection is not None and not connection.closed and not connection.autocommit:
        connection.autocommit = True


def _refuse_stale(connection: Any, record: Any, proxy: Any) -> None:
    """Discard the pool if an idle connection has unread data: usually the server has closed it."""
    if connection.closed or _has_unread_data(connection.fileno()):
        raise InvalidatePoolError("the connection was closed")


def _has_unread_data(descriptor: int) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(0))
