"""How many connections to a database are kept, and how long anything is waited for."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits of one process; times are in milliseconds, and 0 is no limit.

    The defaults add up to less than two seconds, in which a client is told that the database is
    gone. `prepared_statements` is for PostgreSQL, whose poolers may not know them.
    """

    pool_size: int = 10
    pool_timeout_ms: int = 1000
    connect_timeout_ms: int = 1500
    statement_timeout_ms: int = 1500
    lock_timeout_ms: int = 1200
    prepared_statements: bool = True


COMMAND_LIMITS = Limits(connect_timeout_ms=10_000, pool_timeout_ms=30_000, statement_timeout_ms=0,
                 lock_timeout_ms=30_000)
"""For commands, where nobody is waiting for an answer."""
