"""Canaries for the psycopg internals that storage/database/psycopg_adapter.py uses."""

import inspect
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from xcom_server.storage.database import psycopg_adapter

from tests.support.waiting import SECONDS

SEE = "see bounded_connection in storage/database/psycopg_adapter.py"


@pytest.fixture
def url(postgres_url: str) -> str:
    return postgres_url.replace("+psycopg", "")


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg_adapter.bounded_connection(SECONDS).connect(url) as connection:
        yield connection


def test_wait_takes_a_generator_an_interval_and_a_timeout() -> None:
    assert [*inspect.signature(psycopg.Connection.wait).parameters][:4] == [
        "self",
        "gen",
        "interval",
        "timeout",
    ], f"psycopg.Connection.wait has other parameters now; {SEE}"


def test_every_statement_waits_through_the_connection(
    connection: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[object] = []
    wait = connection.wait

    def counting_wait(*args: Any, **options: Any) -> Any:
        waits.append(args)
        return wait(*args, **options)

    monkeypatch.setattr(connection, "wait", counting_wait)

    connection.execute("SELECT 1")
    connection.commit()

    assert len(waits) >= 2, (
        f"psycopg does not wait for the server through Connection.wait any more; {SEE}"
    )


def test_timed_out_wait_closes_the_connection(url: str) -> None:
    connection = psycopg_adapter.bounded_connection(0.2).connect(url)
    process = connection.info.backend_pid
    with pytest.raises(psycopg_adapter.NoResponse):
        connection.execute("SELECT pg_sleep(60)")
    with psycopg.connect(url) as other:  # the statement still runs, and would hold up VACUUM
        other.execute("SELECT pg_terminate_backend(%s, 5000)", (process,))

    assert connection.closed, (
        "pgconn.finish() does not close the connection any more, so that a late response could be"
        f" taken for that of another statement; {SEE}"
    )


def test_server_error_is_not_taken_for_a_timeout(
    connection: psycopg.Connection[Any],
) -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        connection.execute("SELEC")

    assert connection.pgconn.transaction_status == TransactionStatus.INERROR, (
        f"pgconn.transaction_status does not report a failed transaction any more; {SEE}"
    )


def test_open_transaction_is_detected_without_a_round_trip(
    connection: psycopg.Connection[Any],
) -> None:
    before = psycopg_adapter.is_in_transaction(connection)
    connection.execute("SELECT 1")
    during = psycopg_adapter.is_in_transaction(connection)
    connection.rollback()
    after = psycopg_adapter.is_in_transaction(connection)

    assert (before, during, after) == (False, True, False), (
        "pgconn.transaction_status does not follow transactions any more; see is_in_transaction"
    )
