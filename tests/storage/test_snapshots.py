"""Snapshots are complete and atomic, and older ones survive an upgrade of the schema."""

import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from xcom_server import errors
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.sqlalchemy_adapter import UtcDateTime
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.snapshots import MAX_SNAPSHOTS
from xcom_server.storage.sql import schema, snapshots, tables
from xcom_server.storage.sql.store import SqlXComStore
from xcom_server.storage.store import XComStore

from tests.support.databases import migrate
from tests.support.stores import MakeStore, OpenBackend

Rows = dict[str, list[Any]]  # the rows of each table

VALUES = {
    sa.Boolean: True,
    sa.Integer: 3,
    sa.Float: 1.5,
    UtcDateTime: datetime(2024, 5, 6, 7, 8, 9, 123456, UTC),
}


@pytest.fixture
def store(make_store: MakeStore) -> XComStore:
    store = make_store()
    store.snapshots.prepare()
    return store


def key(name: str) -> XComKey:
    return XComKey("etl", "r", "t", -1, name)


def row_of(table: sa.Table) -> dict[str, Any]:
    """Return a row with a value in every column; ids are equal in all tables."""
    return {
        column.key: next(
            (value for kind, value in VALUES.items() if isinstance(column.type, kind)), column.name
        )
        for column in table.columns
    }


def fill(backend: Backend) -> None:
    with backend.writing.begin() as connection:
        for table in tables.metadata.sorted_tables:
            connection.execute(table.insert(), row_of(table))


def rows(backend: Backend) -> Rows:
    with backend.engine.connect() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(sa.select(table))]
            for table in tables.metadata.sorted_tables
        }


def entries(store: XComStore) -> int:
    """Return the number of entries, which one statement reads."""
    return store.list(Filter({}), limit=10).total_entries


def test_every_column_of_every_table_is_restored(backend: Backend, store: XComStore) -> None:
    fill(backend)
    before = rows(backend)
    assert before.keys() == tables.metadata.tables.keys()
    assert all(len(each) == 1 for each in before.values())
    store.snapshots.save("full")

    store.clear()
    assert all(each == [] for each in rows(backend).values())
    store.create(key("other"), "1")
    snapshot = store.snapshots.restore("full")

    assert rows(backend) == before
    assert snapshot[2:] == (1, 1, 1)


def test_snapshot_can_be_restored_again(store: XComStore) -> None:
    store.create(key("a"), "1")
    store.snapshots.save("one")

    for _ in range(2):
        store.delete(key("a"))
        store.snapshots.restore("one")
        assert store.get(key("a")).value == "1"


def test_snapshot_with_the_same_name_is_replaced(store: XComStore) -> None:
    assert store.snapshots.save("one")[1] is True
    store.create(key("a"), "1")
    assert store.snapshots.save("one")[1] is False

    (listed,) = store.snapshots.list()
    assert (listed.name, listed.entries) == ("one", 1)
    assert store.snapshots.restore("one") == listed
    assert entries(store) == 1


def test_snapshots_are_listed_by_name_and_deleted_with_their_tables(
    backend: Backend, store: XComStore
) -> None:
    for name in ("b", "a", "c"):
        store.snapshots.save(name)
    assert [each.name for each in store.snapshots.list()] == ["a", "b", "c"]

    for name in ("a", "b", "c"):
        store.snapshots.delete(name)

    assert store.snapshots.list() == []
    assert [name for name in sa.inspect(backend.engine).get_table_names() if "shot_" in name] == []


def test_unknown_snapshot_is_not_found(store: XComStore) -> None:
    store.create(key("a"), "1")

    for method in (store.snapshots.restore, store.snapshots.delete):
        with pytest.raises(errors.SnapshotNotFound):
            method("nope")
    assert entries(store) == 1


def test_number_of_snapshots_is_limited(store: XComStore, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_SNAPSHOTS == 100
    monkeypatch.setattr(snapshots, "MAX_SNAPSHOTS", 1)
    store.snapshots.save("one")

    with pytest.raises(errors.TooManySnapshots):
        store.snapshots.save("two")
    store.snapshots.save("one")


def test_failed_restore_changes_nothing(
    backend: Backend, store: XComStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.snapshots.save("empty")
    store.create(key("a"), "1")
    before = rows(backend)
    monkeypatch.setattr(snapshots, "_copy_to_store", lambda *args: sa.text("SELECT 1 FROM nothing"))

    with pytest.raises(errors.Unavailable):
        store.snapshots.restore("empty")

    assert rows(backend) == before


def test_concurrent_reads_see_the_store_before_or_after(store: XComStore) -> None:
    store.create(key("a"), "1")
    store.snapshots.save("one")
    store.create(key("b"), "1")
    store.create(key("c"), "1")
    store.snapshots.save("three")
    seen: set[int] = set()
    done = threading.Event()

    def read() -> None:
        while not done.is_set():
            seen.add(entries(store))
            time.sleep(0.001)  # or the others rarely get the one connection of a database in memory

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(10):
            store.snapshots.restore("one")
            store.snapshots.restore("three")
    finally:
        done.set()
        reader.join()

    assert seen <= {1, 3}


def test_concurrent_writes_are_stored_before_or_after(store: XComStore) -> None:
    """The number of runs, which the row of their DAG has, stays right."""
    store.snapshots.save("empty")
    done = threading.Event()
    failures: list[Exception] = []

    def write() -> None:
        for number in range(1000):
            if done.is_set():
                return
            try:
                store.create(XComKey("etl", f"r{number}", "t", -1, "k"), "1")
            except Exception as error:
                failures.append(error)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(25):
            store.snapshots.restore("empty")
            store.clear()
    finally:
        done.set()
        writer.join()
    store.create(key("last"), "1")

    assert failures == []
    counted = store.runs.list(Filter({"dag_id": "etl"}), limit=1).total_entries
    assert counted == len([*store.export_runs()])


def test_snapshot_of_another_schema_is_refused(backend: Backend, store: XComStore) -> None:
    store.snapshots.save("old")
    store.create(key("a"), "1")
    with backend.writing.begin() as connection:
        connection.execute(sa.text("UPDATE emulator_snapshot SET revision = '0002'"))

    with pytest.raises(errors.SnapshotOutdated) as error:
        store.snapshots.restore("old")

    assert str(error.value) == (
        f"The snapshot 'old' has schema 0002, but the database is at {schema.HEAD}."
        " Delete it, and save it again."
    )
    assert entries(store) == 1
    store.snapshots.delete("old")


def test_schema_is_upgraded_beside_snapshots(tmp_path: Path, open_backend: OpenBackend) -> None:
    older = open_backend(f"sqlite:///{tmp_path / 'older.db'}")
    older.create_missing()
    with older.writing.begin() as connection:
        migrate(connection, "0002")
        snapshots.metadata.create_all(connection)
        connection.execute(sa.text("CREATE TABLE emulator_snapshot_1_xcom AS SELECT * FROM xcom"))
        connection.execute(
            sa.text(
                "INSERT INTO emulator_snapshot VALUES"
                " (1, 'old', '0002', '2024-01-01 00:00:00', 0, 0, 0)"
            )
        )

    schema.upgrade(older)
    upgraded = SqlXComStore(older)

    assert schema.differences(older) == []
    with pytest.raises(errors.SnapshotOutdated):
        upgraded.snapshots.restore("old")
    upgraded.snapshots.delete("old")
    assert "emulator_snapshot_1_xcom" not in sa.inspect(older.engine).get_table_names()


def test_tables_of_snapshots_are_no_difference_of_the_schema(
    backend: Backend, store: XComStore
) -> None:
    store.snapshots.save("one")

    assert schema.differences(backend) == []
