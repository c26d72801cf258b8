"""The clients that Airflow publishes for v1 read all kinds of keys, values and pages."""

import ast
import functools
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import quote

import pytest
import requests
from xcom_server.testing import XcomServer

from tests.support.official import KEYS, OfficialClient, only

pytestmark = pytest.mark.clients

RUNS = {
    "scheduled__2024-01-01T00:00:00+00:00": "2024-01-01T00:00:00+00:00",
    "manual__2024-02-03T04:05:06.789+02:00": "2024-02-03T02:05:06.789000+00:00",
}
"""Run ids as Airflow makes them -> the date of each run, in UTC."""
RUN = next(iter(RUNS))
TASKS = ["extract", "load"]
PAGED = [f"entry_{number:02}" for number in range(25)]
VALUES = {
    "dict": {"k": "v", "n": 1, "l": [1, None, True], "f": 1.5},
    "empty_dict": {},
    "list": [1, "x", None],
    "int": 7,
    "large_int": 2**60 + 1,
    "float": 1.5,
    "true": True,
    "false": False,
    "text": "żółć ☃",
    "empty_text": "",
    "digits": "7",
}
ITEM = {"key", "timestamp", "execution_date", "map_index", "task_id", "dag_id"}


def rows_of(dag_id: str) -> list[dict[str, Any]]:
    def row(task_id: str, key: str, value: Any, run_id: str = RUN, **more: Any) -> dict[str, Any]:
        return {
            "dag_id": dag_id,
            "run_id": run_id,
            "task_id": task_id,
            "key": key,
            "value": value,
            "logical_date": RUNS[run_id],
            **more,
        }

    return [
        *(row(task, "return_value", f"{task} in {run}", run) for run in RUNS for task in TASKS),
        *(row("values", key, value) for key, value in {**VALUES, "null": None}.items()),
        row("values", "day", "2024-01-01"),
        *(
            row("mapped", key, f"{key} {index}", map_index=index)
            for index in range(3)
            for key in ("first", "second")
        ),
        *(row("paged", key, key) for key in PAGED),
    ]


@pytest.fixture(scope="session")
def clients(
    anyone: XcomServer,
    count_case: Callable[..., None],
) -> Iterator[Callable[[str], OfficialClient]]:
    """Yield a function that starts the client of a version once."""
    with ExitStack() as stack:

        @functools.cache
        def start(version: str) -> OfficialClient:
            official = stack.enter_context(OfficialClient(version, anyone.v1_url, count_case))
            anyone.seed(rows_of(official.dag_id))
            return official

        yield start


@pytest.fixture(params=["2.10.0", "2.7.3", "2.3.0"])
def official(
    request: pytest.FixtureRequest, clients: Callable[[str], OfficialClient]
) -> OfficialClient:
    return clients(request.param)


def value_of(official: OfficialClient, key: str, **options: Any) -> Any:
    return official.read("get_xcom_entry", official.dag_id, RUN, "values", key, **options)["value"]


@pytest.mark.parametrize("key", KEYS)
def test_client_reads_entry_with_any_key(
    official: OfficialClient, anyone: XcomServer, key: str
) -> None:
    dag_id = f"{official.dag_id}_keys"
    created = requests.post(
        f"{anyone.v1_url}/dags/{dag_id}/dagRuns/{quote(RUN)}/taskInstances/extract/xcomEntries",
        json={"key": key, "value": f"of {key}"},
    )
    assert created.status_code == 200
    entry = official.read("get_xcom_entry", dag_id, RUN, "extract", key)
    assert entry.keys() == {*ITEM, "value"}
    assert (entry["key"], entry["value"]) == (key, f"of {key}")


@pytest.mark.parametrize("task_id", TASKS)
@pytest.mark.parametrize("run_id", RUNS)
def test_client_finds_run_id_with_colon_and_plus(
    official: OfficialClient, run_id: str, task_id: str
) -> None:
    place = (official.dag_id, run_id, task_id)
    entry = official.read("get_xcom_entry", *place, "return_value")
    assert entry["value"] == f"{task_id} in {run_id}"
    assert entry["execution_date"] == RUNS[run_id]
    page = official.read("get_xcom_entries", *place)
    assert page["xcom_entries"] == [{name: entry[name] for name in ITEM}]


@pytest.mark.parametrize("key", VALUES)
def test_client_reads_value_as_python_text(official: OfficialClient, key: str) -> None:
    assert value_of(official, key) == str(VALUES[key])


@pytest.mark.parametrize("key", ["dict", "empty_dict", "list"])
def test_container_can_be_parsed_from_its_text(official: OfficialClient, key: str) -> None:
    assert ast.literal_eval(value_of(official, key)) == VALUES[key]


def test_client_converts_text_that_looks_like_a_date(official: OfficialClient) -> None:
    assert value_of(official, "day") == "datetime.date(2024, 1, 1)"


@only("2.7.3", "2.3.0")
def test_older_client_cannot_decode_null(official: OfficialClient) -> None:
    error = official.ask("get_xcom_entry", official.dag_id, RUN, "values", "null")["error"]
    assert (error["name"], error["status"]) == ("ApiValueError", None)
    assert "Required value type is str and passed type was NoneType" in error["text"]


@only("2.10.0")
@pytest.mark.parametrize("stringify", [True, False])
def test_newest_client_reads_null(official: OfficialClient, stringify: bool) -> None:
    assert value_of(official, "null", stringify=stringify) is None


@only("2.10.0")
@pytest.mark.parametrize("key", VALUES)
def test_client_reads_value_as_json(official: OfficialClient, key: str) -> None:
    stored = VALUES[key]
    expected = (
        float(stored) if type(stored) is int else stored
    )  # the client's model declares a number
    shown = value_of(official, key, stringify=False)
    # as text, where 1, 1.0 and true differ
    assert json.dumps(shown, sort_keys=True) == json.dumps(expected, sort_keys=True)


@only("2.10.0", "2.7.3")
@pytest.mark.parametrize("map_index", [0, 1, 2])
def test_client_reads_one_map_index(official: OfficialClient, map_index: int) -> None:
    place = (official.dag_id, RUN, "mapped")
    entry = official.read("get_xcom_entry", *place, "first", map_index=map_index)
    assert (entry["map_index"], entry["value"]) == (map_index, f"first {map_index}")


@only("2.10.0", "2.7.3")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"map_index": 1},
        {"xcom_key": "second"},
        {"map_index": 2, "xcom_key": "first"},
        {"map_index": -1},
        {"xcom_key": "fir"},
    ],
)
def test_client_filters_lists(official: OfficialClient, options: dict[str, Any]) -> None:
    page = official.read("get_xcom_entries", official.dag_id, RUN, "mapped", **options)
    expected = [
        (index, key)
        for index in range(3)
        for key in ("first", "second")
        if options.get("map_index", index) == index and options.get("xcom_key", key) == key
    ]
    assert [(entry["map_index"], entry["key"]) for entry in page["xcom_entries"]] == expected
    assert page["total_entries"] == len(expected)


@pytest.mark.parametrize("limit", [1, 7, 25, 100])
def test_paging_returns_every_entry_once(official: OfficialClient, limit: int) -> None:
    found = official.walk(official.dag_id, RUN, "paged", limit=limit)
    assert [entry["key"] for entry in found] == PAGED
    assert all(entry.keys() == ITEM for entry in found)


@pytest.mark.parametrize("anywhere", list(itertools.product([True, False], repeat=3)))
def test_tilde_matches_any_dag_run_and_task(
    official: OfficialClient, anywhere: tuple[bool, bool, bool]
) -> None:
    named = (official.dag_id, RUN, "extract")
    found = official.walk(
        *("~" if wild else name for wild, name in zip(anywhere, named, strict=True)), limit=100
    )
    expected = [
        (row["task_id"], row["logical_date"], row["key"], row.get("map_index", -1))
        for row in rows_of(official.dag_id)
        if anywhere[1] or row["run_id"] == RUN
        if anywhere[2] or row["task_id"] == "extract"
    ]
    # other tests have entries of their own in other DAGs
    ours = [entry for entry in found if not anywhere[0] or entry["dag_id"] == official.dag_id]
    assert sorted(
        (entry["task_id"], entry["execution_date"], entry["key"], entry["map_index"])
        for entry in ours
    ) == sorted(expected)


def test_list_without_matches_is_empty(official: OfficialClient) -> None:
    page = official.read("get_xcom_entries", official.dag_id, RUN, "nothing")
    assert page == {"xcom_entries": [], "total_entries": 0}


@pytest.mark.parametrize(
    "place",
    [
        ("nowhere", RUN, "values", "int"),
        (None, "nowhere", "values", "int"),
        (None, RUN, "nowhere", "int"),
        (None, RUN, "values", "nowhere"),
        (None, RUN, "mapped", "first"),
        ("~", RUN, "values", "int"),
    ],
    ids=["dag", "run", "task", "key", "map_index", "tilde"],
)
def test_missing_entry_raises_not_found_exception(
    official: OfficialClient, place: dict[str, str]
) -> None:
    dag_id, *rest = place
    error = official.ask("get_xcom_entry", dag_id or official.dag_id, *rest)["error"]
    assert (error["name"], error["status"]) == ("NotFoundException", 404)
    assert json.loads(error["text"])["title"] == "XCom entry not found"


def test_negative_limit_raises_api_exception(official: OfficialClient) -> None:
    error = official.ask("get_xcom_entries", official.dag_id, RUN, "paged", limit=-1)["error"]
    assert (error["name"], error["status"]) == ("ApiException", 400)
    assert json.loads(error["text"])["title"] == "Page limit must be a positive integer"


@only("2.10.0", "2.7.3")
def test_deserialization_is_rejected_unless_enabled(official: OfficialClient) -> None:
    place = (official.dag_id, RUN, "values", "text")
    assert official.read("get_xcom_entry", *place, deserialize=False)["value"] == VALUES["text"]
    error = official.ask("get_xcom_entry", *place, deserialize=True)["error"]
    assert (error["name"], error["status"]) == ("ApiException", 400)
    assert json.loads(error["text"])["detail"] == (
        "XCom deserialization is disabled in configuration."
    )
