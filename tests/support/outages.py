"""Faults of a PostgreSQL server, as context managers."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from tests.support.postgres import Postgres
from tests.support.waiting import until

Outage = Callable[[Postgres], AbstractContextManager[None]]


@contextmanager
def killed(postgres: Postgres) -> Iterator[None]:
    """Connections are refused."""
    postgres.kill()
    try:
        yield
    finally:
        postgres.start()


@contextmanager
def paused(postgres: Postgres) -> Iterator[None]:
    """Connections are accepted, but statements get no response."""
    postgres.pause()
    try:
        yield
    finally:
        postgres.resume()


@contextmanager
def cut_off(postgres: Postgres) -> Iterator[None]:
    """An administrator ends all connections."""
    postgres.execute(
        "SELECT pg_terminate_backend(pid, 20000) FROM pg_stat_activity"
        " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    yield


@contextmanager
def configured(postgres: Postgres, name: str, value: str) -> Iterator[None]:
    """Every connection has this setting."""

    def become(change: str, value: str) -> None:
        postgres.execute(f"ALTER SYSTEM {change}")
        postgres.execute("SELECT pg_reload_conf()")
        until(lambda: postgres.execute(f"SHOW {name}") == [(value,)])

    [(before,)] = postgres.execute(f"SHOW {name}")
    become(f"SET {name} = '{value}'", value)
    try:
        yield
    finally:
        become(f"RESET {name}", before)
