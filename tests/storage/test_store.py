"""The storage contract: what every database that holds entries promises."""

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from xcom_server.errors import AlreadyExists, DateMismatch, EntryNotFound, NameTooLong, XComError
from xcom_server.storage.models import MAX_MAP_INDEX, XComEntry, XComFilter, XComKey
from xcom_server.storage.store import XComStore

from tests.support.stores import MakeStore

RUN = "scheduled__2024-01-01T00:00:00+00:00"
RUN_DATE = datetime(2024, 1, 1, tzinfo=UTC)
NAME = XComKey("etl", RUN, "extract", -1, "k")


def named(**fields: Any) -> XComKey:
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
def test_a_value_is_kept_to_the_letter(store: XComStore, value: str) -> None:
    store.create(NAME, value)

    assert store.get(NAME).value == value


def test_an_entry_carries_its_name_and_dates(store: XComStore) -> None:
    moment = datetime(2024, 5, 6, 7, 8, 9, 123456, UTC)

    created = store.create(NAME, "1", timestamp=moment)

    assert (
        created
        == store.get(NAME)
        == XComEntry(
            "etl",
            RUN,
            "extract",
            -1,
            "k",
            timestamp=moment,
            logical_date=RUN_DATE,
            run_after=RUN_DATE,
            value="1",
            etag=created.etag,
        )
    )


@pytest.mark.parametrize(
    "moment",
    [
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, UTC),
    ],
)
def test_every_moment_can_be_kept(store: XComStore, moment: datetime) -> None:
    store.create(NAME, "1", timestamp=moment)

    assert store.get(NAME).timestamp == moment
    assert store.replace_value(NAME, "2", timestamp=moment).value == "2"


def test_a_name_is_taken_once(store: XComStore) -> None:
    store.create(NAME, "1")

    with pytest.raises(AlreadyExists):
        store.create(NAME, "2")

    assert store.get(NAME).value == "1"


def test_names_as_long_as_allowed_can_be_stored(store: XComStore) -> None:
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
def test_names_that_differ_anywhere_are_different(store: XComStore, other: dict[str, Any]) -> None:
    store.create(NAME, "1")
    store.create(named(**other), "2")
    store.delete(NAME)

    assert store.get(named(**other)).value == "2"


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
    "name", [NAME, named(map_index=-2), named(map_index=MAX_MAP_INDEX + 1), named(map_index=10**30)]
)
def test_an_entry_nobody_stored_is_not_found(
    store: XComStore, operation: Callable[[XComStore, XComKey], object], name: XComKey
) -> None:
    with pytest.raises(EntryNotFound):
        operation(store, name)


def test_replacing_changes_the_value_alone(store: XComStore) -> None:
    created = store.create(NAME, "1")
    store.create(named(key="other"), "1")

    replaced = store.replace_value(NAME, "2")

    assert replaced == store.get(NAME)
    assert (replaced.timestamp, replaced.run_date) == (created.timestamp, created.run_date)
    assert store.get(named(key="other")).value == "1"


def test_replacing_as_of_a_moment_changes_the_timestamp_too(store: XComStore) -> None:
    created = store.create(NAME, "1")
    moment = datetime(2030, 1, 2, 3, 4, 5, 678901, UTC)

    replaced = store.replace_value(NAME, "2", new_timestamp=moment)

    assert replaced == store.get(NAME) == replace(created, value="2", timestamp=moment)


def test_the_timestamp_that_must_be_stored_is_the_old_one(store: XComStore) -> None:
    old = store.create(NAME, "1").timestamp
    new = old + timedelta(days=1)

    store.replace_value(NAME, "2", timestamp=old, new_timestamp=new)
    with pytest.raises(DateMismatch):
        store.replace_value(NAME, "3", timestamp=old, new_timestamp=old)

    assert (store.get(NAME).value, store.get(NAME).timestamp) == ("2", new)


@pytest.mark.parametrize("field", ["timestamp", "run_date"])
def test_replacing_under_another_date_changes_nothing(store: XComStore, field: str) -> None:
    created = store.create(NAME, "1")
    given: dict[str, Any] = {"timestamp": created.timestamp, "run_date": created.run_date}

    with pytest.raises(DateMismatch) as error:
        store.replace_value(NAME, "2", **given | {field: given[field] + timedelta(microseconds=1)})

    assert (error.value.field, error.value.stored) == (field, given[field])
    assert store.get(NAME).value == "1"
    assert store.replace_value(NAME, "2", **given).value == "2"


def test_a_list_is_in_the_order_of_bytes(store: XComStore) -> None:
    names = [
        named(dag_id=dag, task_id=task, run_id=run, map_index=index, key=key)
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

    page = store.list(XComFilter(), limit=1000)

    assert [(e.dag_id, e.task_id, e.run_id, e.map_index, e.key) for e in page.entries] == [
        (n.dag_id, n.task_id, n.run_id, n.map_index, n.key) for n in in_order
    ]
    assert page.total_entries == len(names)


def test_an_update_that_races_a_creation_succeeds_or_finds_nothing(make_store: MakeStore) -> None:
    other, ours = make_store(), make_store()
    done = threading.Event()

    def come_and_go() -> None:
        # The pause lets the other thread have the one connection of a database in memory.
        while not done.wait(0.001):
            other.create(NAME, "1")
            other.delete(NAME)

    thread = threading.Thread(target=come_and_go)
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


def eight_at_once(action: Callable[[int], None]) -> None:
    """Run an action, told its number, in eight threads that begin together."""
    barrier = threading.Barrier(8)

    def begin_together(number: int) -> None:
        barrier.wait()
        action(number)

    threads = [threading.Thread(target=begin_together, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_of_many_who_create_one_entry_one_succeeds(make_store: MakeStore) -> None:
    outcomes: list[str] = []

    def create(number: int) -> None:
        try:
            make_store().create(NAME, str(number))
            outcomes.append(str(number))
        except AlreadyExists:
            outcomes.append("taken")

    eight_at_once(create)

    assert outcomes.count("taken") == 7
    assert make_store().get(NAME).value in outcomes


def test_of_many_who_write_to_a_new_run_all_succeed(make_store: MakeStore) -> None:
    errors: list[Exception] = []

    def create(number: int) -> None:
        try:
            make_store().create(named(run_id="new", key=str(number)), "1")
        except Exception as error:
            errors.append(error)

    eight_at_once(create)

    page = make_store().list(XComFilter(), limit=9)
    assert errors == []
    assert page.total_entries == 8
    assert len({entry.run_date for entry in page.entries}) == 1
