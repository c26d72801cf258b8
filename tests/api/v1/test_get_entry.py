"""GET …/xcomEntries/{key} shows one entry, its value as Python's str() or as JSON."""

import ast
import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.calls import RUN
from tests.support.databases import load
from tests.support.v1_calls import create, entry, error_detail

VALUES = [
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
    '{"b":1,"a":2}',
]


def with_value(client: FlaskClient, database_url: str, value: str) -> str:
    """Store an entry with this JSON text, as tasks do; return its path."""
    name = {"dag_id": "etl", "run_id": RUN, "task_id": "extract", "key": "k"}
    load(database_url, json.dumps([{**name, "stored": value}]))
    return entry("k")


@pytest.mark.parametrize("value", VALUES)
def test_value_is_python_text_by_default(
    client: FlaskClient, database_url: str, value: str
) -> None:
    path = with_value(client, database_url, value)

    shown = client.get(path).get_json()["value"]

    assert shown == str(json.loads(value))
    if not value.startswith('"'):
        assert ast.literal_eval(shown) == json.loads(value)


@pytest.mark.parametrize("value", VALUES)
def test_value_is_json_with_stringify_false(
    client: FlaskClient, database_url: str, value: str
) -> None:
    path = with_value(client, database_url, value)

    answer = client.get(path, query_string={"stringify": "false"})

    assert answer.get_json()["value"] == json.loads(value)


def test_null_is_never_stringified(client: FlaskClient) -> None:
    create(client, "k", None)

    for stringify in ("true", "false"):
        answer = client.get(entry("k"), query_string={"stringify": stringify}).get_json()
        assert answer["value"] is None


def test_response_is_formatted_like_airflows(client: FlaskClient) -> None:
    create(client, "k", "ü", timestamp="2024-05-06T07:08:09Z")

    assert (
        client.get(entry("k")).data
        == b"""{
  "dag_id": "etl",
  "execution_date": "2024-01-01T00:00:00+00:00",
  "key": "k",
  "map_index": -1,
  "task_id": "extract",
  "timestamp": "2024-05-06T07:08:09+00:00",
  "value": "\\u00fc"
}
"""
    )


def test_deserialization_is_rejected_unless_enabled(
    make_client: Callable[..., FlaskClient], database_url: str
) -> None:
    date = '{"__classname__": "datetime.date", "__version__": 2, "__data__": "2024-02-29"}'
    path = with_value(make_client(), database_url, date)
    query = {"deserialize": "true"}

    refusal = make_client().get(path, query_string=query)
    answer = make_client(deserialize=True).get(path, query_string=query)

    assert error_detail(refusal, 400) == "XCom deserialization is disabled in configuration."
    assert answer.get_json()["value"] == "2024-02-29"
    assert make_client().get(path).get_json()["value"] == "datetime.date@version=2(2024-02-29)"


@pytest.mark.parametrize("classname", ["os.system", "builtins.eval", "subprocess.Popen", "a.B"])
@pytest.mark.parametrize("allowed", [True, False])
def test_unknown_class_stays_text(
    make_client: Callable[..., FlaskClient], database_url: str, classname: str, allowed: bool
) -> None:
    value = json.dumps({"__classname__": classname, "__version__": 1, "__data__": "touch /tmp/x"})
    client = make_client(deserialize=allowed)
    path = with_value(client, database_url, value)

    for stringify in ("true", "false"):
        answer = client.get(
            path, query_string={"deserialize": str(allowed).lower(), "stringify": stringify}
        )
        assert answer.get_json()["value"] == f"{classname}@version=1(touch /tmp/x)"


def test_execution_date_of_an_undated_run_is_its_run_after(
    client: FlaskClient, database_url: str
) -> None:
    run: dict[str, Any] = {
        "dag_id": "etl",
        "run_id": RUN,
        "logical_date": None,
        "run_after": "2024-03-04T05:06:07Z",
    }
    load(database_url, json.dumps({"dag_runs": [run]}))

    created = create(client).get_json()

    assert created["execution_date"] == "2024-03-04T05:06:07+00:00"
    assert client.patch(entry("k"), json={**created, "value": "new"}).status_code == 200


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
    ],
)
def test_missing_entry_is_not_found(client: FlaskClient, names: dict[str, str]) -> None:
    create(client)

    assert error_detail(client.get(entry("k", **names)), 404, "XCom entry not found") is None
    assert error_detail(client.get(entry("K")), 404, "XCom entry not found") is None
