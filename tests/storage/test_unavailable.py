"""A database that is locked, full, read-only, removed or too slow raises Unavailable."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, event, text
from xcom_server.errors import EntryNotFound, Unavailable
from xcom_server.storage.database.backend import Limits
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.postgres import GRACE_SECONDS
from xcom_server.storage.models import XComKey
from xcom_server.storage.runs import NewRun
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import Observer

from tests.support.stores import OpenBackend, limited

NAME = XComKey("d", "r", "t", -1, "k")
RUN = NewRun(
    dag_id="d",
    run_id="triggered",
    logical_date=None,
    run_after=datetime(2024, 1, 1, tzinfo=UTC),
    data_interval_start=None,
    data_interval_end=None,
)
QUICK = limited(lock_timeout_seconds=0.1, pool_timeout_seconds=0.1)


@pytest.mark.parametrize(
    ("statement", "limits"),
    [
        ("SELECT pg_sleep(60)", limited(statement_timeout_seconds=0.2, lock_timeout_seconds=30)),
        ("SELECT 1", limited(statement_timeout_seconds=30, lock_timeout_seconds=0.1)),
    ],
    ids=["statement", "lock"],
)
def test_postgresql_statement_or_lock_times_out(
    postgres_url: str, statement: str, limits: Limits, open_backend: OpenBackend
) -> None:
    backend = open_backend(postgres_url, limits)
    other = open_backend(postgres_url)

    def work(connection: Connection) -> None:
        connection.execute(text(statement))
        connection.execute(text("SELECT pg_advisory_xact_lock(7)"))

    with other.engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(7)"))
        with pytest.raises(Unavailable) as error:
            Executor(backend, Observer()).transaction(work)

    assert error.value.reason == (
        "A database statement took too long."
        if "sleep" in statement
        else "The database is locked by another writer."
    )


def test_default_timeouts_are_below_two_seconds() -> None:
    limits = limited()
    waits = [
        limits.pool_timeout_seconds,
        limits.connect_timeout_seconds,
        limits.lock_timeout_seconds,
        limits.statement_timeout_seconds + GRACE_SECONDS,
    ]

    assert all(0 < wait < 2 for wait in waits)


def test_locked_sqlite_file_can_be_read_but_not_written(
    database_url: str, open_backend: OpenBackend
) -> None:
    store = SqlXComStore(open_backend(database_url, QUICK))
    store.create(NAME, "1")
    foreign = sqlite3.connect(database_url.removeprefix("sqlite:///"), isolation_level=None)
    foreign.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unavailable, match="locked by another writer"):
        store.delete(NAME)

    assert store.get(NAME).value == "1"
    foreign.close()
    store.delete(NAME)


def test_full_disk_rejects_a_write_and_keeps_the_entry(
    database_url: str, open_backend: OpenBackend
) -> None:
    backend = open_backend(database_url)
    store = SqlXComStore(backend)
    store.create(NAME, '"old"')

    @event.listens_for(backend.engine, "checkout")
    def limit(connection: sqlite3.Connection, *_: Any) -> None:
        connection.execute("PRAGMA max_page_count = 1")  # no page can be added

    with pytest.raises(Unavailable, match="The disk of the database is full") as error:
        store.replace_value(NAME, '"' + "x" * 500_000 + '"')

    assert not error.value.in_doubt
    assert store.get(NAME).value == '"old"'


def test_read_only_database_can_be_read_but_not_written(
    database_url: str, open_backend: OpenBackend
) -> None:
    writing = SqlXComStore(open_backend(database_url))
    writing.create(NAME, "1")
    path = database_url.removeprefix("sqlite:///")
    store = SqlXComStore(open_backend(f"sqlite:///file:{path}?mode=ro&uri=true"))

    with pytest.raises(Unavailable, match="The database is read-only"):
        store.delete(NAME)

    assert store.get(NAME).value == "1"


def test_run_under_way_cannot_be_read_from_a_read_only_database(
    database_url: str, open_backend: OpenBackend
) -> None:
    writing = SqlXComStore(open_backend(database_url))
    writing.create(NAME, "1")
    writing.runs.trigger(RUN)
    path = database_url.removeprefix("sqlite:///")
    store = SqlXComStore(open_backend(f"sqlite:///file:{path}?mode=ro&uri=true"))

    with pytest.raises(Unavailable, match="The database is read-only"):
        store.runs.get("d", "triggered")

    assert store.runs.peek("d", "triggered").state == "queued"
    assert store.runs.get("d", "r").state == "success"


def test_removed_or_replaced_file_is_not_written_to(
    database_url: str, empty_database: Path, open_backend: OpenBackend
) -> None:
    path = Path(database_url.removeprefix("sqlite:///"))
    store = SqlXComStore(open_backend(database_url))
    store.create(NAME, "1")
    for each in path.parent.glob("xcom.db*"):
        each.unlink()
    with pytest.raises(Unavailable, match="cannot be opened"):
        store.create(XComKey("d", "r", "t", -1, "other"), "1")
    assert [*path.parent.glob("xcom.db*")] == []

    path.write_bytes(empty_database.read_bytes())

    with pytest.raises(EntryNotFound):
        store.get(NAME)


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_file_that_is_not_a_database_is_unavailable(
    tmp_path: Path, content: bytes, open_backend: OpenBackend
) -> None:
    (tmp_path / "odd.db").write_bytes(content)
    store = SqlXComStore(open_backend(f"sqlite:///{tmp_path}/odd.db"))

    with pytest.raises(Unavailable, match=r"damaged|does not have the tables"):
        store.get(NAME)


def test_missing_folder_is_unavailable_for_reads_and_writes(
    tmp_path: Path, open_backend: OpenBackend
) -> None:
    store = SqlXComStore(open_backend(f"sqlite:///{tmp_path}/nowhere/x.db"))

    calls: list[Callable[[], object]] = [
        lambda: store.get(NAME),
        lambda: store.create(NAME, "1"),
    ]
    for call in calls:
        with pytest.raises(Unavailable, match="cannot be opened"):
            call()


def test_wait_for_a_free_connection_times_out(database_url: str, open_backend: OpenBackend) -> None:
    backend = open_backend(database_url, limited(pool_size=1, pool_timeout_seconds=0.05))

    with backend.engine.connect(), pytest.raises(Unavailable, match="All connections"):
        SqlXComStore(backend).get(NAME)
