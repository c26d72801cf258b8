"""Entries and runs of the store, for people."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.api.emulator.contents import MAX_VALUE

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.calls import RUN

ENTRIES = "/_emulator/entries"
RUNS = "/_emulator/runs"
SERIALIZED = {"__classname__": "datetime.date", "__version__": 2, "__data__": "2024-02-29"}


def get(client: FlaskClient, path: str) -> dict[str, Any]:
    answer = client.get(path)
    assert answer.status_code == 200
    return answer.get_json()  # type: ignore[no-any-return]


def load(client: FlaskClient, entries: dict[str, Any], **data: Any) -> None:
    """Load values that no request may write."""
    from xcom_server import seed_file

    rows = [
        {"dag_id": "etl", "run_id": RUN, "task_id": "t", "key": key, "value": value}
        for key, value in entries.items()
    ]
    text = json.dumps({"entries": rows, **data})
    client.application.extensions["store"].load(seed_file.read(text))


@pytest.mark.parametrize(
    "value", [1, "text", None, [1, "a"], {"a": None, "é": [True]}, "<script>", 1.5e300, SERIALIZED]
)
def test_values_are_those_of_both_versions(emulator: FlaskClient, value: Any) -> None:
    load(emulator, {"k": value})
    names = {"dag_run_id": RUN, "task_id": "t"}

    ((entry,), total) = get(emulator, ENTRIES).values()

    assert total == 1
    assert entry["value"] == get(emulator, v2.entry("k", **names))["value"]
    assert entry["v1_text"] == get(emulator, v1.entry("k", **names))["value"]
    assert entry["v1_value"] == get(emulator, v1.entry("k", **names) + "?stringify=false")["value"]
    assert json.loads(entry["json"]) == value
    assert entry["size"] == len(json.dumps(value))
    assert not entry["is_cut"]


def test_fields_of_an_entry(emulator: FlaskClient) -> None:
    v2.create(emulator, "k", 1)

    (entry,) = get(emulator, ENTRIES)["entries"]

    assert {name: entry[name] for name in ("dag_id", "run_id", "task_id", "map_index", "key")} == {
        "dag_id": "etl",
        "run_id": "scheduled__2024-01-01T00:00:00+00:00",
        "task_id": "extract",
        "map_index": -1,
        "key": "k",
    }
    assert entry["timestamp"].startswith("20")


def nested(depth: int) -> Any:
    """Return an object whose text in v1 doubles with each level."""
    value: Any = "x" * 10
    for _ in range(depth):
        value = {"__classname__": "a.B", "__version__": 1, "__data__": [value, value]}
    return value


def test_long_values_are_cut(emulator: FlaskClient) -> None:
    load(emulator, {"a long": "x" * MAX_VALUE, "b short": "x" * (MAX_VALUE - 2), "c": nested(5)})

    long, short, grown = get(emulator, ENTRIES)["entries"]

    assert (long["is_cut"], long["value"], long["v1_value"], long["v1_text"]) == (
        (True, None, None, None)
    )
    assert (len(long["json"]), long["size"]) == (MAX_VALUE, MAX_VALUE + 2)
    assert (short["is_cut"], short["value"]) == (False, "x" * (MAX_VALUE - 2))
    assert (grown["is_cut"], grown["value"], len(grown["v1_text"])) == (True, None, MAX_VALUE)


def test_entries_can_be_filtered_and_paged(emulator: FlaskClient) -> None:
    for task_id in ("a", "b"):
        for key in ("k1", "k2", "k3"):
            emulator.post(v2.entries(task_id=task_id), json={"key": key, "value": 1})

    def keys(query: str) -> tuple[list[str], int]:
        found = get(emulator, f"{ENTRIES}?{query}")
        return [each["task_id"] + each["key"] for each in found["entries"]], found["total_entries"]

    assert keys("task_id=a&limit=2") == (["ak1", "ak2"], 3)
    assert keys("task_id=a&limit=2&offset=2") == (["ak3"], 3)
    assert keys("key=k2&dag_id=etl") == (["ak2", "bk2"], 2)
    assert keys("run_id=other") == ([], 0)


def test_runs_are_listed_without_a_step_of_their_scripts(emulator: FlaskClient) -> None:
    load(emulator, {}, dags=[{"dag_id": "etl", "script": {}, "tasks": [{"task_id": "t"}]}])
    body = {"dag_run_id": "r", "logical_date": None, "conf": {"n": 1}}
    assert emulator.post(v2.runs(), json=body).status_code == 200

    shown = [get(emulator, f"{RUNS}?dag_id=etl&run_id=r")["runs"][0] for _ in range(3)]

    assert [each["state"] for each in shown] == ["queued"] * 3
    assert (shown[0]["conf"], shown[0]["is_cut"], shown[0]["next_step"]) == ({"n": 1}, False, 0)
    assert get(emulator, f"{RUNS}?limit=1")["total_entries"] == 1


def test_long_conf_is_cut(emulator: FlaskClient) -> None:
    body = {"dag_run_id": "r", "logical_date": None, "conf": {"n": "x" * MAX_VALUE}}
    assert emulator.post(v2.runs(), json=body).status_code == 200

    (run,) = get(emulator, RUNS)["runs"]

    assert (run["conf"], run["is_cut"]) == (None, True)


@pytest.mark.parametrize("path", [ENTRIES, RUNS])
@pytest.mark.parametrize("query", ["limit=0", "limit=101", "offset=-1", "map_index=1"])
def test_invalid_parameters(emulator: FlaskClient, path: str, query: str) -> None:
    assert emulator.get(f"{path}?{query}").status_code == 400
