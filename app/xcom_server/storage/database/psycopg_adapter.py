"""The one place that uses semi-public members of psycopg; only PostgreSQL's backend imports it.

tests/storage/test_psycopg_adapter.py says which contract broke if a new release changes one.
"""

from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from xcom_server.storage.database.faults import UNRESPONSIVE_SQLSTATE


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
