"""The contract of XComStore, on every database."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from xcom_server.errors import AlreadyExists, DateMismatch, EntryNotFound, NameTooLong, XComError
from xcom_server.storage.models import MAX_MAP_INDEX, XComEntry, XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.store import XComStore

from tests.support.stores import MakeStore

RUN = "scheduled__2024-01-01T00:00:00+00:00"
RUN_DATE = datetime(2024, 1, 1, tzinfo=UTC)
NAME = XComKey("etl", RUN, "extract", -1, "k")


def key_with(**fields: Any) -> XComKey:
    return replace(XComKey("etl", RUN, "extract", -1, "k"), **fields)


@pytest.mark.parametrize(
    "value",
    [
        "null",
        '"v"',
        "1180591620717411303424",
        "1.10",
        "-0.0",
        '{"b": 1, "a": 2}',
        ' { "a" : 1 } ',
        '"\\u0000"',
        '"ü🙂"',
        '"' + "x" * 300_000 + '"',
    ],
)
def test_value_is_stored_unchanged(store: XComStore, value: str) -> None:
    store.create(NAME, value)

    assert store.get(NAME).value == value


def test_entry_has_its_key_and_dates(store: XComStore) -> None:
    timestamp = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)

    created = store.create(NAME, "1", timestamp=timestamp)

    assert (
        created
        == store.get(NAME)
        == XComEntry(
            "etl",
            RUN,
            "extract",
            -1,
            "k",
            timestamp=timestamp,
            logical_date=RUN_DATE,
            run_after=RUN_DATE,
            value="1",
            etag=created.etag,
        )
    )


@pytest.mark.parametrize(
    "timestamp",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
)
def test_timestamp_may_be_any_datetime(store: XComStore, timestamp: datetime) -> None:
    store.create(NAME, "1", timestamp=timestamp)

    assert store.get(NAME).timestamp == timestamp
    assert store.replace_value(NAME, "2", timestamp=timestamp).value == "2"


def test_duplicate_create_is_rejected(store: XComStore) -> None:
    store.create(NAME, "1")

    with pytest.raises(AlreadyExists):
        store.create(NAME, "2")

    assert store.get(NAME).value == "1"


def test_longest_names_can_be_stored(store: XComStore) -> None:
    noise = "".join(chr(0x4E00 + (number * 7919) % 20000) for number in range(1000))
    name = XComKey(noise[:200], noise[200:400], noise[400:600], -1, noise[600:866])

    store.create(name, "1")

    assert store.get(name).value == "1"
    with pytest.raises(NameTooLong):
        store.create(XComKey(name.dag_id, name.run_id, name.task_id, -1, noise[600:867]), "1")


@pytest.mark.parametrize(
    "other",
    [
        {"dag_id": "ETL"},
        {"run_id": "r"},
        {"task_id": "load"},
        {"map_index": 0},
        {"key": "K"},
        {"key": "k "},
        {"key": "ḱ"},
    ],
)
def test_keys_that_differ_in_one_field_are_distinct(
    store: XComStore, other: dict[str, Any]
) -> None:
    store.create(NAME, "1")
    store.create(key_with(**other), "2")
    store.delete(NAME)

    assert store.get(key_with(**other)).value == "2"


@pytest.mark.parametrize(
    "operation",
    [
        lambda store, name: store.get(name),
        lambda store, name: store.delete(name),
        lambda store, name: store.replace_value(name, "1"),
    ],
    ids=["get", "delete", "replace"],
)
@pytest.mark.parametrize(
    "name",
    [
        NAME,
        key_with(map_index=-2),
        key_with(map_index=MAX_MAP_INDEX + 1),
        key_with(map_index=10**30),
    ],
    ids=["index -1", "index -2", "index too large", "index of 100 bits"],
)
def test_missing_entry_is_not_found(
    store: XComStore, operation: Callable[[XComStore, XComKey], object], name: XComKey
) -> None:
    with pytest.raises(EntryNotFound):
        operation(store, name)


def test_replace_changes_only_the_value(store: XComStore) -> None:
    created = store.create(NAME, "1")
    store.create(key_with(key="other"), "1")

    replaced = store.replace_value(NAME, "2")

    assert replaced == store.get(NAME)
    assert (replaced.timestamp, replaced.run_date) == (created.timestamp, created.run_date)
    assert store.get(key_with(key="other")).value == "1"


def test_replace_can_change_the_timestamp(store: XComStore) -> None:
    created = store.create(NAME, "1")
    timestamp = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)

    replaced = store.replace_value(NAME, "2", new_timestamp=timestamp)

    assert replaced == store.get(NAME) == replace(created, value="2", timestamp=timestamp)


def test_expected_timestamp_is_compared_with_the_old_one(store: XComStore) -> None:
    old = store.create(NAME, "1").timestamp
    new = old + timedelta(days=1)

    store.replace_value(NAME, "2", timestamp=old, new_timestamp=new)
    with pytest.raises(DateMismatch):
        store.replace_value(NAME, "3", timestamp=old, new_timestamp=old)

    assert (store.get(NAME).value, store.get(NAME).timestamp) == ("2", new)


@pytest.mark.parametrize("field", ["timestamp", "run_date"])
def test_replace_with_a_mismatched_date_changes_nothing(store: XComStore, field: str) -> None:
    created = store.create(NAME, "1")
    given: dict[str, Any] = {"timestamp": created.timestamp, "run_date": created.run_date}

    with pytest.raises(DateMismatch) as error:
        store.replace_value(NAME, "2", **given | {field: given[field] + timedelta(microseconds=1)})

    assert (error.value.field, error.value.stored) == (field, given[field])
    assert store.get(NAME).value == "1"
    assert store.replace_value(NAME, "2", **given).value == "2"


def test_list_is_sorted_by_bytes(store: XComStore) -> None:
    names = [
        key_with(dag_id=dag, task_id=task, run_id=run, map_index=index, key=key)
        for dag in "aBé"
        for task in ("t", "T")
        for run in ("r2", "r10")
        for index in (-1, 10, 9)
        for key in ("k", "K", "ä", "🙂", "\uffee")
    ]
    for name in names:
        store.create(name, "1")
    in_order = sorted(
        names,
        key=lambda n: (
            n.dag_id.encode(),
            n.task_id.encode(),
            n.run_id.encode(),
            n.map_index,
            n.key.encode(),
        ),
    )

    page = store.list(Filter.of(), limit=1000)

    assert [(e.dag_id, e.task_id, e.run_id, e.map_index, e.key) for e in page.entries] == [
        (n.dag_id, n.task_id, n.run_id, n.map_index, n.key) for n in in_order
    ]
    assert page.total_entries == len(names)


def test_update_during_create_and_delete_succeeds_or_finds_nothing(make_store: MakeStore) -> None:
    other, ours = make_store(), make_store()
    done = threading.Event()

    def create_and_delete() -> None:
        # The pause lets the other thread use the only connection of an in-memory database.
        while not done.wait(0.001):
            other.create(NAME, "1")
            other.delete(NAME)

    thread = threading.Thread(target=create_and_delete)
    thread.start()
    errors = set()
    try:
        for _ in range(150):
            try:
                ours.replace_value(NAME, "2")
            except XComError as error:
                errors.add(type(error))
    finally:
        done.set()
        thread.join()

    assert errors <= {EntryNotFound}


def run_in_eight_threads(action: Callable[[int], None]) -> None:
    """Run an action in eight threads that start together; its argument is the thread's number."""
    barrier = threading.Barrier(8)

    def run_together(number: int) -> None:
        barrier.wait()
        action(number)

    threads = [threading.Thread(target=run_together, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_of_concurrent_creates_succeeds(make_store: MakeStore) -> None:
    outcomes: list[str] = []

    def create(number: int) -> None:
        try:
            make_store().create(NAME, str(number))
            outcomes.append(str(number))
        except AlreadyExists:
            outcomes.append("taken")

    run_in_eight_threads(create)

    assert outcomes.count("taken") == 7
    assert make_store().get(NAME).value in outcomes


def test_concurrent_writes_to_a_new_run_all_succeed(make_store: MakeStore) -> None:
    errors: list[Exception] = []

    def create(number: int) -> None:
        try:
            make_store().create(key_with(run_id="new", key=str(number)), "1")
        except Exception as error:
            errors.append(error)

    run_in_eight_threads(create)

    page = make_store().list(Filter.of(), limit=9)
    assert errors == []
    assert page.total_entries == 8
    assert len({entry.run_date for entry in page.entries}) == 1
