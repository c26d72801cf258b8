"""The executor: database failures raise Unavailable, and transient errors are retried."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.exc import OperationalError, ProgrammingError
from xcom_server.errors import AlreadyExists, EntryNotFound, Unavailable
from xcom_server.storage.database import executor as database_module
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.psycopg_adapter import NoResponse
from xcom_server.storage.database.retry import ATTEMPTS
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.sql.tables import dag_run
from xcom_server.storage.store import Observer

from tests.support.stores import OpenBackend, full_disk, limited, lost_connection, transient_error

NAME = XComKey("d", "r", "t", -1, "k")
QUICK = limited(lock_timeout_seconds=0.1, pool_timeout_seconds=0.1)


def failing(errors: list[Exception]) -> Callable[[Connection], str]:
    def work(connection: Connection) -> str:
        if errors:
            raise errors.pop(0)
        return "done"

    return work


def test_open_breaker_lets_one_probe_through_and_fails_the_rest_fast(
    postgres_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(postgres_url)
    executor = Executor(backend, Observer())
    timed_out, probing = threading.Event(), threading.Event()
    gone = NoResponse("no response")

    def wait(connection: Connection) -> None:
        probing.set()
        timed_out.wait(30)
        raise OperationalError("", {}, gone)

    def assert_unresponsive(work: Callable[[Connection], Any]) -> None:
        with pytest.raises(Unavailable, match="does not respond"):
            executor.transaction(work)

    timed_out.set()
    assert_unresponsive(wait)  # opens the breaker
    timed_out.clear()
    probing.clear()
    probe = threading.Thread(target=assert_unresponsive, args=(wait,))
    probe.start()
    probing.wait(30)

    with pytest.raises(Unavailable, match="does not respond"):
        executor.transaction(lambda connection: "not executed")
    timed_out.set()
    probe.join()
    assert executor.transaction(lambda connection: "executed") == "executed"


def test_programming_error_is_raised_unchanged(
    open_backend: OpenBackend,
) -> None:
    wrong = ProgrammingError("SELEC", {}, psycopg.errors.SyntaxError("no"))

    with pytest.raises(ProgrammingError):
        Executor(open_backend("sqlite://"), Observer()).transaction(failing([wrong]))


def test_transaction_is_retried_after_transient_errors(backend: Backend) -> None:
    executor = Executor(backend, Observer())
    error, reason = transient_error(backend)

    assert executor.transaction(failing([error] * (ATTEMPTS - 1))) == "done"
    with pytest.raises(Unavailable, match=reason):
        executor.transaction(failing([error] * ATTEMPTS))


def test_retry_after_a_rollback_stores_once(backend: Backend) -> None:
    executor = Executor(backend, Observer())
    undone = [transient_error(backend)[0]]

    def work(connection: Connection) -> None:
        connection.execute(
            dag_run.insert().values(
                dag_id="d", run_id="r", run_after=datetime(2024, 1, 1, tzinfo=UTC)
            )
        )
        if undone:
            raise undone.pop()

    executor.transaction(work)

    rows = executor.transaction(lambda connection: connection.execute(select(dag_run)).all())
    assert len(rows) == 1


def test_failed_commit_of_a_transaction_is_in_doubt(backend: Backend) -> None:
    def lose(connection: Connection) -> None:
        raise lost_connection(backend)

    event.listen(backend.engine, "commit", lose)

    with pytest.raises(Unavailable) as lost:
        Executor(backend, Observer()).transaction(failing([]))
    with pytest.raises(Unavailable) as refused:
        Executor(backend, Observer()).transaction(failing([full_disk(backend)]))

    assert (lost.value.in_doubt, refused.value.in_doubt) == (True, False)


class Recorder(Observer):
    def __init__(self, times: list[tuple[str, float]]) -> None:
        self._times = times

    def operation(self, kind: str, seconds: float) -> None:
        self._times.append((kind, seconds))


def test_each_statement_and_transaction_is_timed(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock advances by a second each time it is read."""
    monkeypatch.setattr(database_module, "time", SimpleNamespace(perf_counter=count().__next__))
    times: list[tuple[str, float]] = []
    store = SqlXComStore(backend, observer=Recorder(times))

    with pytest.raises(EntryNotFound):
        store.get(NAME)
    store.create(NAME, "1")
    store.delete(NAME)
    with pytest.raises(EntryNotFound):
        store.delete(NAME)

    # The first create of a task instance takes two writes.
    assert times == [("read", 1), ("write", 1), ("write", 1), ("write", 1), ("write", 1)]


def test_one_of_concurrent_creates_is_accepted(backend: Backend) -> None:
    accepted: list[int] = []
    refused: list[int] = []
    start = threading.Barrier(8)

    def create(number: int) -> None:
        store: Any = SqlXComStore(backend)
        start.wait()
        try:
            store.create(NAME, str(number))
            accepted.append(number)
        except AlreadyExists:
            refused.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(accepted), len(refused)) == (1, 7)
    assert SqlXComStore(backend).get(NAME).value == str(accepted[0])


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-02 03:04:05.000000",
        "2024-01-02 03:04:05",
        "2024-01-02 05:04:05.000+02:00",
        "2024-01-02T03:04:05Z",
    ],
)
def test_timestamp_written_by_another_program_is_read(
    database_url: str, text: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(database_url)
    store = SqlXComStore(backend)
    store.create(NAME, "1")
    with backend.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE xcom SET timestamp = ?", (text,))

    found = [store.get(NAME).timestamp, store.list(Filter.of(), limit=1).entries[0].timestamp]

    assert found == [datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)] * 2
    assert {timestamp.tzinfo for timestamp in found} == {UTC}
