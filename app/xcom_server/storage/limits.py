"""How many connections to a database are kept, and how long operations wait."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one process.  Time-outs are in seconds; a statement time-out of 0 is none.

    `prepared_statements` is for PostgreSQL, whose poolers may not support them.
    """

    pool_size: int
    pool_timeout_seconds: float
    connect_timeout_seconds: float
    statement_timeout_seconds: float
    lock_timeout_seconds: float
    prepared_statements: bool


COMMAND_LIMITS = Limits(pool_size=10, pool_timeout_seconds=30, connect_timeout_seconds=10,
                        statement_timeout_seconds=0, lock_timeout_seconds=30,
                        prepared_statements=True)
"""For commands, where no client is waiting for an answer."""
