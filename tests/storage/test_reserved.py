"""Reserved keys of Airflow's serializer: every write rejects them, but `seed` accepts them."""

import json
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from xcom_server.errors import ReservedKeys
from xcom_server.seed_file import read
from xcom_server.storage.models import XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.store import XComStore
from xcom_server.values.reserved import refuse_reserved

from tests.support.stores import MakeStore, exported_runs

RESERVED = [
    "__classname__",
    "__version__",
    "__data__",
    "__id__",
    "__cache__",
    "__type",
    "__source",
    "__var",
]
KEY = XComKey("etl", "r", "extract", -1, "k")
Write = Callable[[XComStore, str], object]


def refused(text: str) -> tuple[str, list[str]]:
    """Return the path and the reserved keys for which a value is rejected."""
    with pytest.raises(ReservedKeys) as error:
        refuse_reserved(text)
    return error.value.place, error.value.names


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize(
    ("around", "place"),
    [
        ("{%s}", "value"),
        ('{"a": {%s}}', "value.a"),
        ("[{%s}]", "value[0]"),
        ('{"a": [0, {%s}]}', "value.a[1]"),
        ('[[{"b": {%s}}]]', "value[0][0].b"),
        ('{"": {"a.b": {%s}}}', "value..a.b"),
    ],
)
def test_reserved_key_is_found_at_any_depth(name: str, around: str, place: str) -> None:
    assert refused(around % f'"x": 1, "{name}": null') == (place, [name])


@pytest.mark.parametrize("name", RESERVED)
def test_json_inside_a_string_is_searched(name: str) -> None:
    held = json.dumps({name: 1})

    assert refused(json.dumps(held)) == ("value", [name])
    assert refused(json.dumps({"a": held})) == ("value.a", [name])
    assert refused(json.dumps(f" [0, {held}]\n")) == ("value[1]", [name])
    assert refused(json.dumps(json.dumps({"a": [held]}))) == ("value.a[0]", [name])
    assert refused(json.dumps([json.dumps([json.dumps([held])])])) == ("value[0][0][0]", [name])


@pytest.mark.parametrize(
    "text",
    [
        r'{"\u005f\u005ftype": 1}',
        r'{"_\u005Ftype": 1}',
        r'{"\u005f_type": 1}',
        r'{"\u005f\u005f\u0074\u0079\u0070\u0065": 1}',
        r'{"__t\u0079pe": 1}',
        r'"{\"\\u005f\\u005ftype\": 1}"',
        r'"{\"\u005f\u005ftype\": 1}"',
        r'"{\"\u005cu005f\u005cu005ftype\": 1}"',
        r'"\u007b\u0022\u005f_type\u0022:1}"',
        r'"{\"\\u005c\": 0, \"\\u005f_type\": 1}"',
        r'"{\"_\\u005ftype\": NaN}"',
        r'{"__type": 1, "__type": 2}',
        ' \t\r\n{"__type": 1}',
    ],
)
def test_escaped_reserved_key_is_found(text: str) -> None:
    assert refused(text) == ("value", ["__type"])


def test_nested_escapes_are_found_at_any_depth() -> None:
    text = r'{"\u005f\u005ftype": 1}'
    for _ in range(5):
        text = json.dumps([text])

    assert refused(text) == ("value" + "[0]" * 5, ["__type"])


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(json.dumps({"__type": 1})),
        [json.dumps(json.dumps([{"__type": 1}]))],
        "__type",
        ["__type"],
        {"a": "__type"},
        {"__Type": 1},
        {"__type__": 1},
        {"_type": 1},
        {"type": 1},
        {"__classname": 1},
        {" __type": 1},
        {"__type\0": 1},
        {"__typе": 1},
        {"__": 1},
        {"___type": 1},
        '{"__type": 1',
        "{'__type': 1}",
        '{"__type": 1} x',
        '\ufeff{"__type": 1}',
        'x{"__type": 1}',
        "\\u005f",
        5,
        None,
        True,
        "",
        [],
        {},
    ],
)
def test_other_values_are_accepted(value: Any) -> None:
    """Like Airflow, the search does not look into a string inside a string."""
    refuse_reserved(json.dumps(value))
    refuse_reserved(json.dumps(value, ensure_ascii=False))


@pytest.mark.parametrize(
    ("value", "place", "names"),
    [
        ({"__var": 1, "__type": 2, "__data__": 3}, "value", ["__data__", "__type", "__var"]),
        ({"a": {"__var": 1}, "__type": 2}, "value", ["__type"]),
        ({"a": {"b": {"__var": 1}}, "c": {"__type": 2}}, "value.a.b", ["__var"]),
        ([{"x": 0}, {"__id__": 1}, {"__type": 2}], "value[1]", ["__id__"]),
        ({"a": '{"__var": 1}', "b": {"__type": 2}}, "value.a", ["__var"]),
        ({"a": [[], {}, {"c": {"__var": {"__type": 2}}}]}, "value.a[2].c", ["__var"]),
    ],
)
def test_error_names_the_first_object_and_its_sorted_keys(
    value: Any, place: str, names: list[str]
) -> None:
    assert refused(json.dumps(value)) == (place, names)


@pytest.mark.parametrize(
    "held", ["[" * 10_000 + "]" * 10_000, '{"__a": ' * 10_000 + "1" + "}" * 10_000, "[" * 10_000]
)
def test_string_of_any_depth_can_be_searched(held: str) -> None:
    refuse_reserved(json.dumps({"__": held}))


def test_search_uses_no_more_memory_than_the_value() -> None:
    """A long key above a long list: the paths of all items would take 400 MB."""
    text = json.dumps({"__": 0, "k" * 20_000: [0] * 20_000})
    tracemalloc.start()
    try:
        refuse_reserved(text)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 20_000_000


@pytest.mark.parametrize(
    "write",
    [
        lambda store, text: store.create(KEY, text),
        lambda store, text: store.create(XComKey("etl", "r", "extract", -1, "old"), text),
        lambda store, text: store.replace_value(XComKey("etl", "r", "extract", -1, "old"), text),
        lambda store, text: store.replace_value(KEY, text),
    ],
    ids=["create", "create existing", "replace", "replace missing"],
)
@pytest.mark.parametrize(
    "text", ['{"__type": 1}', r'"[{\"\\u005f_var\": 1}]"'], ids=["plain", "escaped"]
)
def test_write_of_a_reserved_key_stores_nothing(store: XComStore, write: Write, text: str) -> None:
    old = store.create(XComKey("etl", "r", "extract", -1, "old"), "1")

    with pytest.raises(ReservedKeys):
        write(store, text)

    assert store.list(Filter.of(), limit=9).total_entries == 1
    assert store.get(XComKey("etl", "r", "extract", -1, "old")) == old


def test_rejected_write_registers_no_dag_run(make_store: MakeStore) -> None:
    with pytest.raises(ReservedKeys):
        make_store().create(KEY, '{"__type": 1}')

    assert exported_runs(make_store()) == []


@pytest.mark.parametrize("name", RESERVED)
def test_seed_may_load_reserved_keys(make_store: MakeStore, name: str) -> None:
    value = json.dumps({name: [{name: 1}]})
    row = {"dag_id": "etl", "run_id": "r", "task_id": "extract", "key": "k", "stored": value}

    make_store().load(read(json.dumps([row])))

    assert make_store().get(KEY).value == value
