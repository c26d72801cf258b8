"""The time limit of statements on SQLite: what takes longer is interrupted and rolled back."""

import multiprocessing
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, text
from xcom_server.errors import EntryNotFound, FilterTooLong, Unavailable
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.time_limit import LimitedConnection
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import MAX_PATTERN_OF_LONG_TEXT, Comparison, Filter
from xcom_server.storage.sql import schema
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import Observer

from tests.support.slow_keys import add_slow_keys, slow_pattern
from tests.support.stores import OpenBackend, limited

NAME = XComKey("d", "r", "t", -1, "k")
ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
QUICK = limited(statement_timeout_seconds=0.1)
SLOW = Filter.of(
    conditions=(
        tuple((Comparison("key", "like", f"%{each}%"),) for each in slow_pattern().split("|")),
    )
)
TOO_SLOW = "A database statement took too long."


@pytest.fixture
def store(database_url: str, open_backend: OpenBackend) -> SqlXComStore:
    """Return a store with a time limit of 0.1 s, on a file with long keys."""
    add_slow_keys(database_url, 10_000)
    return SqlXComStore(open_backend(database_url, QUICK))


def test_slow_list_is_interrupted_and_others_continue(store: SqlXComStore) -> None:
    with pytest.raises(Unavailable) as error:
        store.list(SLOW, limit=1)

    assert (error.value.reason, error.value.in_doubt) == (TOO_SLOW, False)
    store.create(NAME, "1")
    assert store.get(NAME).value == "1"
    assert store.list(Filter.of(), limit=1).total_entries == 10_001


def test_slow_change_is_rolled_back(store: SqlXComStore, database_url: str) -> None:
    store.create(NAME, "1")

    def work(connection: Connection) -> None:
        connection.execute(text("DELETE FROM xcom WHERE key = 'k'"))
        connection.execute(text(f"UPDATE xcom SET value = ({ENDLESS})"))

    with pytest.raises(Unavailable) as error:
        Executor(store._backend, Observer()).transaction(work)

    assert (error.value.reason, error.value.in_doubt) == (TOO_SLOW, False)
    assert store.get(NAME).value == "1"
    store.delete(NAME)  # the writer lock is free


def test_slow_deletion_of_many_rows_is_rolled_back(
    database_url: str, open_backend: OpenBackend
) -> None:
    """A trigger makes the deletion of each entry slow, as on a slow disk."""
    add_slow_keys(database_url, 100)
    backend = open_backend(database_url, QUICK)
    store = SqlXComStore(backend)
    joined = "xcom a, xcom b, xcom c WHERE a.value || b.value || c.value = old.value"
    trigger = f"AFTER DELETE ON xcom BEGIN SELECT count(*) FROM {joined}; END"
    with backend.writing.begin() as connection:
        connection.execute(text(f"CREATE TRIGGER slow {trigger}"))

    with pytest.raises(Unavailable, match=TOO_SLOW):
        store.runs.delete("d", "r", even_if_running=False)

    assert store.list(Filter.of(), limit=1).total_entries == 100
    assert store.runs.peek("d", "r").run_id == "r"


def test_interrupted_statement_does_not_open_the_circuit_breaker(store: SqlXComStore) -> None:
    for _ in range(3):
        with pytest.raises(Unavailable, match=TOO_SLOW):
            store.list(SLOW, limit=1)
        with pytest.raises(EntryNotFound):
            store.get(NAME)


def test_limit_of_0_disables_the_time_limit(database_url: str, open_backend: OpenBackend) -> None:
    add_slow_keys(database_url, 500)
    store = SqlXComStore(open_backend(database_url, limited(statement_timeout_seconds=0)))

    assert store.list(SLOW, limit=1).total_entries == 0


def test_upgrade_of_the_schema_is_not_limited(
    tmp_path: object, open_backend: OpenBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = open_backend(f"sqlite:///{tmp_path}/new.db", QUICK)

    def migrate(connection: Connection) -> None:
        slow = ENDLESS.replace("FROM n)", "FROM n LIMIT 3000000)")
        start = time.monotonic()
        while time.monotonic() - start < 0.3:
            connection.execute(text(slow)).all()

    monkeypatch.setattr(schema, "_migrate", migrate)
    schema.upgrade(backend)

    with pytest.raises(Unavailable, match=TOO_SLOW):
        Executor(backend, Observer()).transaction(
            lambda connection: connection.execute(text(ENDLESS)).all()
        )


@pytest.fixture
def connection() -> Iterator[LimitedConnection]:
    with closing(
        sqlite3.connect(":memory:", factory=LimitedConnection, check_same_thread=False)
    ) as opened:
        opened.time_limit = 0.1
        yield opened


def test_every_method_that_runs_a_statement_is_limited(connection: LimitedConnection) -> None:
    """The first row is there at once, and the second never."""
    rows = f"SELECT 1 UNION ALL SELECT * FROM ({ENDLESS})"
    cursor = connection.cursor()
    for call in (
        lambda: cursor.execute(ENDLESS),
        lambda: cursor.executemany(f"INSERT INTO t SELECT ? FROM ({ENDLESS})", [(1,)]),
        lambda: cursor.execute(rows).fetchall(),
        lambda: cursor.execute(rows).fetchmany(2),
        lambda: [cursor.execute(rows).fetchone(), cursor.fetchone()],
    ):
        connection.execute("CREATE TABLE IF NOT EXISTS t (a)")
        with pytest.raises(sqlite3.OperationalError, match="interrupted"):
            call()


def test_time_between_two_calls_does_not_count(connection: LimitedConnection) -> None:
    cursor = connection.cursor().execute("SELECT 1 UNION ALL SELECT 2")
    time.sleep(0.3)

    assert cursor.fetchall() == [(1,), (2,)]


def interrupted(seconds: float) -> bool:
    with closing(sqlite3.connect(":memory:", factory=LimitedConnection)) as connection:
        connection.time_limit = seconds
        try:
            connection.cursor().execute(ENDLESS)
        except sqlite3.OperationalError:
            return True
    return False


def _exit_with_whether_interrupted() -> None:
    raise SystemExit(0 if interrupted(0.1) else 1)


def test_forked_process_has_a_time_limit_too(connection: LimitedConnection) -> None:
    connection.cursor().execute("SELECT 1")  # so that this process has the thread
    child = multiprocessing.get_context("fork").Process(target=_exit_with_whether_interrupted)
    child.start()
    child.join(60)
    child.kill()

    assert child.exitcode == 0


@pytest.mark.parametrize(("length", "is_refused"), [(0, False), (1, True)])
def test_pattern_for_the_conf_of_runs_is_short(
    store: SqlXComStore, length: int, is_refused: bool
) -> None:
    """SQLite compares one text with a pattern without an interruption."""
    pattern = "x" * (MAX_PATTERN_OF_LONG_TEXT + length)
    filter_ = Filter.of(conditions=(((Comparison("conf", "like", pattern),),),))

    if is_refused:
        with pytest.raises(FilterTooLong):
            store.runs.list(filter_, limit=1)
    else:
        assert store.runs.list(filter_, limit=1).total_entries == 0
