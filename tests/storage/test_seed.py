"""Seed files: loading is atomic and idempotent, and errors name the row."""

import json
from typing import Any

import pytest
from xcom_server.errors import SeedConflict
from xcom_server.seed_file import InvalidSeedFile, read
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter

from tests.support.databases import seed_texts
from tests.support.stores import MakeStore, exported_entries, exported_runs

ENTRY = {"dag_id": "d", "run_id": "r", "task_id": "t", "key": "k", "value": 1}
RUN = {"dag_id": "d", "run_id": "r", "logical_date": "2024-01-01T00:00:00Z"}


def entry_text(**fields: Any) -> str:
    return json.dumps([{**ENTRY, "key": "first"}, {**ENTRY, **fields}])


def test_loading_is_idempotent(make_store: MakeStore) -> None:
    for _ in range(2):
        for text in seed_texts():
            make_store().load(read(text))
    before = exported_entries(make_store()), exported_runs(make_store())

    for text in seed_texts():
        make_store().load(read(text))

    assert (exported_entries(make_store()), exported_runs(make_store())) == before
    assert (len(before[0]), len(before[1])) == (216, 6)


def test_entry_seeded_without_a_timestamp_keeps_its_own(make_store: MakeStore) -> None:
    for _ in range(2):
        make_store().load(read(json.dumps([ENTRY])))
        found = exported_entries(make_store())
        make_store().load(read(json.dumps([ENTRY])))
        assert exported_entries(make_store()) == found


def test_stored_entry_is_replaced(make_store: MakeStore) -> None:
    for value in ("1", "2"):
        make_store().load(read(entry_text(value=json.loads(value))))

    assert make_store().get(XComKey("d", "r", "t", -1, "k")).value == "2"


@pytest.mark.parametrize(
    "value",
    ["1180591620717411303424", "1.10", "-0.0", '{"b":1,"a" : 2}', '"\\u00fc"', "null", "[ ]"],
)
def test_seeded_value_is_stored_unchanged(make_store: MakeStore, value: str) -> None:
    rows = f'[ {json.dumps(ENTRY)[:-4]} : {value} , "map_index": 3}} ]'
    make_store().load(read(rows.replace('"value"  :', '"value":')))

    assert make_store().get(XComKey("d", "r", "t", 3, "k")).value == value


def test_stored_text_wins_over_the_value(make_store: MakeStore) -> None:
    make_store().load(read(entry_text(value=1, stored="1.0")))

    assert make_store().get(XComKey("d", "r", "t", -1, "k")).value == "1.0"


def test_exported_entries_can_be_loaded(make_store: MakeStore, tmp_path: object) -> None:
    for text in seed_texts():
        make_store().load(read(text))
    entries = exported_entries(make_store())

    loaded = read(json.dumps(entries))

    assert len(loaded) == 216
    make_store().load(loaded)
    assert exported_entries(make_store()) == entries


def test_task_instances_without_entries_are_registered(make_store: MakeStore) -> None:
    instance = {"task_id": "t", "map_index": 2}
    make_store().load(read(json.dumps({"dag_runs": [{**RUN, "task_instances": [instance]}]})))

    strict = make_store(require_parents=True)
    assert strict.create(XComKey("d", "r", "t", 2, "k"), "1").run_date.year == 2024


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"dag_id": None}, "dag_id must be a string"),
        ({"dag_id": ""}, "dag_id must be a string"),
        ({"task_id": "x" * 251}, "task_id must be"),
        ({"key": "x" * 513}, "key must be"),
        ({"key": "a\0"}, "key must be"),
        ({"run_id": "~"}, "is a wildcard"),
        ({"map_index": -2}, "map_index must be"),
        ({"map_index": True}, "map_index must be"),
        ({"map_index": 2**31}, "map_index must be"),
        ({"bogus": 1}, "unknown field 'bogus'"),
        ({"timestamp": "2024-01-01"}, "timestamp must be an RFC 3339"),
        ({"logical_date": 5}, "logical_date must be an RFC 3339"),
        ({"stored": "{bad"}, "entry 2: stored is not JSON: Expecting property name"),
        ({"stored": "NaN"}, "it contains NaN"),
        ({"stored": 5}, "stored must be a string"),
        ({"timestamp": ""}, "timestamp must be"),
        ({"value": float("nan")}, "it contains NaN"),
        ({"key": "first"}, "duplicate of entry 1"),
        ({"dag_id": "鍵" * 250, "run_id": "鍵" * 250, "key": "鍵" * 512}, "bytes together"),
        ({"logical_date": "1999-01-01T00:00:00Z"}, "logical_date differs from that"),
    ],
)
def test_error_names_the_invalid_row_and_nothing_is_stored(
    make_store: MakeStore, fields: dict[str, Any], words: str
) -> None:
    with pytest.raises((InvalidSeedFile, SeedConflict), match="entry 2: ") as error:
        make_store().load(read(entry_text(**fields)))

    assert words in str(error.value)
    assert make_store().list(Filter.of(), limit=9).total_entries == 0


@pytest.mark.parametrize(
    ("run", "words"),
    [
        ({"run_id": 5}, "run_id must be"),
        ({"bogus": 1}, "unknown field 'bogus'"),
        ({"task_instances": {}}, "task_instances is not a list"),
        ({"task_instances": [{"task_id": ""}]}, "task_id must be"),
        ({"run_after": "now"}, "run_after must be"),
        ({"logical_date": "1999-01-01T00:00:00Z"}, "logical_date differs from that"),
    ],
)
def test_error_names_the_invalid_run(
    make_store: MakeStore, run: dict[str, Any], words: str
) -> None:
    with pytest.raises((InvalidSeedFile, SeedConflict), match="DAG run 2: ") as error:
        make_store().load(read(json.dumps({"dag_runs": [RUN, {**RUN, **run}]})))

    assert words in str(error.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{bad",
        "5",
        "{}",
        "[{}]",
        '{"dag_runs": {}}',
        "[1",
        "[1 2]",
        "[5]",
        '[{"a": 1},',
        "[[]]",
        "[] x",
        f"[{json.dumps(ENTRY)}] x",
        f"[{json.dumps(ENTRY)},]",
        "[,]",
    ],
)
def test_file_that_is_not_a_seed_is_rejected(text: str) -> None:
    with pytest.raises(InvalidSeedFile):
        read(text)


@pytest.mark.parametrize("field", ["dag_id", "run_id", "task_id", "key"])
def test_error_names_the_missing_field_of_an_entry(field: str) -> None:
    row = {name: value for name, value in ENTRY.items() if name != field}

    with pytest.raises(InvalidSeedFile, match=f"^entry 1: {field} is missing$"):
        read(json.dumps([row]))


@pytest.mark.parametrize("field", ["dag_id", "run_id"])
def test_error_names_the_missing_field_of_a_run(field: str) -> None:
    run = {name: value for name, value in RUN.items() if name != field}

    with pytest.raises(InvalidSeedFile, match=f"^DAG run 1: {field} is missing$"):
        read(json.dumps({"dag_runs": [run]}))


def test_row_without_a_value_is_rejected() -> None:
    row = {name: value for name, value in ENTRY.items() if name != "value"}

    with pytest.raises(InvalidSeedFile, match="entry 1: value or stored is missing"):
        read(json.dumps([row]))
