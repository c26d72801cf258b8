"""GET …/xcomEntries/{xcom_key} shows one entry, its value as JSON or as Python's str()."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.calls import RUN
from tests.support.databases import load
from tests.support.v2_calls import create, entry, error_detail

TUPLE = {"__classname__": "builtins.tuple", "__version__": 1, "__data__": [1, "a"]}


def with_stored(client: FlaskClient, database_url: str, stored: str) -> str:
    """Store an entry with this JSON text, as tasks do; return its path."""
    name = {"dag_id": "etl", "run_id": RUN, "task_id": "extract", "key": "k"}
    load(database_url, json.dumps([{**name, "stored": stored}]))
    return entry("k")


def value(client: FlaskClient, path: str, **query: str) -> Any:
    return client.get(path, query_string=query).get_json()["value"]


@pytest.mark.parametrize(
    "stored",
    [
        '{"b": 1, "a": [1, null, true]}',
        "[]",
        "1180591620717411303424",
        "1.10",
        "-0.0",
        "1e2",
        "true",
        '"text"',
        '"\\u00fc\\ud83d\\ude42"',
        "9007199254740993",
        "null",
        json.dumps(TUPLE),
    ],
)
def test_value_is_json_unless_stringify_is_true(
    client: FlaskClient, database_url: str, stored: str
) -> None:
    path = with_stored(client, database_url, stored)
    native = json.loads(stored)

    assert json.dumps(value(client, path)) == json.dumps(native)
    assert value(client, path, stringify="true") == (None if native is None else str(native))


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        (TUPLE, "(1,a)"),
        ({"t": TUPLE, "s": "{}"}, {"t": "(1,a)", "s": "{}"}),
        ('{"a": [1]}', {"a": [1]}),
        ("7", 7),
        ("not json", "not json"),
        ("NaN", "NaN"),
        (json.dumps(TUPLE), "(1,a)"),
        (None, None),
        (1.5, 1.5),
        (
            {"__classname__": "a.B", "__version__": 2, "__data__": {"x": "y", "n": 1, "l": ["z"]}},
            "a.B@version=2(x='y', n=1, l=['z'])",
        ),
        ({"__classname__": "a.B", "__version__": 1, "__data__": None}, "a.B@version=1()"),
        (
            {"__classname__": "airflow.B", "__version__": 1, "__data__": 1},
            {"__classname__": "airflow.B", "__version__": 1, "__data__": 1},
        ),
        ({"__type": "dict", "__var": {"a": 1}}, {"a": 1}),
        (
            {"__type": "dict", "__var": {"__type": "set", "__var": [1]}},
            {"__type": "set", "__var": [1]},
        ),
        (
            {
                "__classname__": "x.Y",
                "__version__": 1,
                "__data__": {"__type": "dict", "__var": {"a": 1}},
            },
            "x.Y@version=1(__type='dict', __var={'a': 1})",
        ),
        (
            {"__classname__": "x.Y", "__version__": 1, "__data__": TUPLE},
            "x.Y@version=1(__classname__='builtins.tuple', __version__=1, __data__=[1, 'a'])",
        ),
        (
            {"__classname__": f"unusual_prefix_{'0' * 40}_dag.B", "__version__": 1, "__data__": 1},
            "dag.B@version=1(1)",
        ),
    ],
)
def test_deserialized_value_is_human_readable(
    client: FlaskClient, database_url: str, stored: Any, shown: Any
) -> None:
    path = with_stored(client, database_url, json.dumps(stored))

    assert value(client, path, deserialize="true") == shown
    assert value(client, path, deserialize="true", stringify="true") == (
        None if shown is None else str(shown)
    )


def test_entry_is_formatted_like_airflows(client: FlaskClient, database_url: str) -> None:
    name = {"dag_id": "etl", "run_id": RUN, "task_id": "extract", "key": "ü"}
    load(
        database_url,
        json.dumps([{**name, "value": [1, "ß"], "timestamp": "2024-05-06T07:08:09.5Z"}]),
    )

    assert client.get(entry("ü")).data.decode() == (
        '{"key":"ü","timestamp":"2024-05-06T07:08:09.500000Z","logical_date":"2024-01-01T00:00:00Z"'
        ',"map_index":-1,"task_id":"extract","dag_id":"etl",'
        '"run_id":"scheduled__2024-01-01T00:00:00+00:00","dag_display_name":"etl",'
        '"task_display_name":"extract","run_after":"2024-01-01T00:00:00Z","value":[1,"ß"]}'
    )


def test_undated_run_has_no_logical_date(client: FlaskClient, database_url: str) -> None:
    run = {
        "dag_id": "etl",
        "run_id": RUN,
        "logical_date": None,
        "run_after": "2024-03-04T05:06:07Z",
    }
    load(database_url, json.dumps({"dag_runs": [run]}))

    created = create(client).get_json()

    assert (created["logical_date"], created["run_after"]) == (None, "2024-03-04T05:06:07Z")
    assert client.get(entry("k")).get_json() == created


def test_map_index_selects_the_entry(client: FlaskClient) -> None:
    create(client, "k", "mapped", map_index=3)

    assert value(client, entry("k"), map_index="3") == "mapped"
    assert error_detail(client.get(entry("k")), 404) == "XCom entry with key: `k` not found"


@pytest.mark.parametrize(
    "key",
    [
        "a/b",
        "/a",
        "a/",
        "a//b",
        "..",
        ".",
        "a b",
        "a+b",
        "%2F",
        "100%",
        "ключ",
        "🙂",
        "a\nb",
        "~",
        "k" * 512,
    ],
)
def test_entry_with_any_key_is_found(client: FlaskClient, key: str) -> None:
    assert create(client, key).status_code == 201
    assert client.get(entry(key)).get_json()["key"] == key


@pytest.mark.parametrize(
    "names",
    [
        {"dag_id": "nope"},
        {"dag_run_id": "nope"},
        {"task_id": "nope"},
        {"dag_id": "ETL"},
        {"dag_id": "~"},
        {"dag_run_id": "~"},
        {"task_id": "~"},
        {"dag_id": "x" * 300},
    ],
)
def test_missing_entry_is_not_found(client: FlaskClient, names: dict[str, str]) -> None:
    create(client)

    for path, key in ((entry("k", **names), "k"), (entry("K"), "K"), (entry("x" * 600), "x" * 600)):
        assert error_detail(client.get(path), 404) == f"XCom entry with key: `{key}` not found"
