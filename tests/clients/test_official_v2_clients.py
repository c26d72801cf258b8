"""The clients that Airflow publishes for v2 read and write all kinds of keys and values."""

import json
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest
import requests
from xcom_server.testing import XcomServer

from tests.support.official import KEYS, OfficialClient, only
from tests.support.official_v2 import ITEM, RUN, create, update

pytestmark = pytest.mark.clients

VALUES = [
    None,
    True,
    False,
    0,
    7,
    -1,
    2**60 + 1,
    1.0,
    0.1,
    -1e300,
    "",
    "text",
    "żółć ☃ 😀",
    'a\nb\t"\\',
    "7",
    "null",
    "2024-01-01",
    "x" * 100_000,
    [],
    [1, "x", None, [True, 1.5]],
    {},
    {"k": {"żółć": [2**60 + 1, {"n": None}]}, "": "", "a/b": 1.0},
]
OBJECT = {"__type": "timedelta", "__var": 90.0}
"""Airflow 3.3.2 was recorded to deserialize this to `timedelta@version=0(90.0)`."""


def parsed_date(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize("given", [{}, {"map_index": 0}, {"map_index": 7}])
def test_entry_is_created_updated_read_and_deleted(
    official: OfficialClient, place: dict[str, str], given: dict[str, Any]
) -> None:
    created = create(official, place, key="k", value={"rows": 1}, **given)
    assert created.keys() == {*ITEM[official.version], "value"}
    assert (
        created
        | {
            "dag_id": place["dag_id"],
            "run_id": RUN,
            "task_id": "extract",
            "key": "k",
            "map_index": -1,
            "logical_date": "2024-01-01T00:00:00Z",
            "value": {"rows": 1},
            **given,
        }
        == created
    )
    updated = update(official, place, "k", value=[2], **given)
    assert updated == {**created, "value": [2], "timestamp": updated["timestamp"]}
    assert parsed_date(updated["timestamp"]) > parsed_date(created["timestamp"])
    assert official.read("get_xcom_entry", **place, xcom_key="k", **given) == updated
    page = official.read("get_xcom_entries", **place)
    assert page == {
        "total_entries": 1,
        "xcom_entries": [{name: updated[name] for name in ITEM[official.version]}],
    }
    if official.version == "3.0.2":
        return
    assert official.read("delete_xcom_entry", **place, xcom_key="k", **given) is None
    assert official.read("get_xcom_entries", **place)["total_entries"] == 0


@pytest.mark.parametrize("stringify", [False, True])
@pytest.mark.parametrize("value", VALUES)
def test_value_is_returned_unchanged(
    official: OfficialClient, place: dict[str, str], value: Any, stringify: bool
) -> None:
    answers = [
        create(official, place, key="new", value=value),
        update(official, place, create(official, place, key="k", value="old")["key"], value=value),
    ]
    shown = str(value) if stringify and value is not None else value
    for answer in answers:
        read = official.read("get_xcom_entry", **place, xcom_key=answer["key"], stringify=stringify)
        # as text, where 1, 1.0 and true differ
        assert json.dumps(answer["value"], sort_keys=True) == json.dumps(value, sort_keys=True)
        assert json.dumps(read, sort_keys=True) == json.dumps(
            {**answer, "value": shown}, sort_keys=True
        )


@pytest.mark.parametrize("key", KEYS)
def test_entry_with_any_key_is_found(
    official: OfficialClient, place: dict[str, str], key: str
) -> None:
    created = create(official, place, key=key, value=f"of {key}")
    assert (created["key"], created["value"]) == (key, f"of {key}")
    assert official.read("get_xcom_entry", **place, xcom_key=key) == created
    create(official, place, key="another", value=1)
    assert official.read("get_xcom_entries", **place, xcom_key=key) == {
        "total_entries": 1,
        "xcom_entries": [{name: created[name] for name in ITEM[official.version]}],
    }
    assert update(official, place, key, value="new")["key"] == key


def test_update_returns_the_dates_of_its_run(
    official: OfficialClient, guarded: XcomServer, place: dict[str, str]
) -> None:
    runs = [
        {
            "dag_id": f"{place['dag_id']}_{day}",
            "run_id": "same",
            "run_after": day,
            "logical_date": day,
        }
        for day in ("2024-03-01T00:00:00Z", "2024-03-02T00:00:00Z")
    ]
    guarded.seed({"dag_runs": runs})
    for run in runs:
        here = {**place, "dag_id": run["dag_id"], "dag_run_id": "same"}
        created = create(official, here, key="k", value=1)
        updated = update(official, here, "k", value=2)
        assert updated["logical_date"] == created["logical_date"] == run["logical_date"]
        if official.version == "3.3.2":
            assert updated["run_after"] == created["run_after"] == run["run_after"]


@only("3.3.2")
@pytest.mark.parametrize("key", KEYS)
def test_delete_removes_only_the_entry_with_the_key(
    official: OfficialClient, place: dict[str, str], key: str
) -> None:
    for each in (key, "another"):
        create(official, place, key=each, value=each)
    official.read("delete_xcom_entry", **place, xcom_key=key)
    page = official.read("get_xcom_entries", **place)
    assert [entry["key"] for entry in page["xcom_entries"]] == ["another"]


@pytest.mark.parametrize(
    ("deserialize", "shown"), [(False, OBJECT), (True, "timedelta@version=0(90.0)")]
)
def test_serialized_object_is_text_when_deserialized(
    official: OfficialClient,
    guarded: XcomServer,
    place: dict[str, str],
    deserialize: bool,
    shown: Any,
) -> None:
    run_id = place["dag_run_id"]
    entry = {"dag_id": place["dag_id"], "run_id": run_id, "task_id": "extract", "key": "k"}
    guarded.seed([{**entry, "value": OBJECT}])
    read = official.read("get_xcom_entry", **place, xcom_key="k", deserialize=deserialize)
    assert read["value"] == shown


@pytest.fixture
def old(guarded: XcomServer, count_case: Callable[..., None]) -> Iterator[OfficialClient]:
    """Yield the last client of v1, which uses Basic credentials."""
    with OfficialClient(
        "2.10.0", guarded.v1_url, count_case, username="user", password="user"
    ) as client:
        yield client


@only("3.3.2")
def test_v1_and_v2_clients_read_each_others_writes(
    old: OfficialClient, official: OfficialClient, guarded: XcomServer, place: dict[str, str]
) -> None:
    here = (place["dag_id"], RUN, "extract")
    url = f"{guarded.v1_url}/dags/{place['dag_id']}/dagRuns/{RUN}/taskInstances/extract/xcomEntries"

    def both(key: str, v1: Any, v2: Any, map_index: int = -1) -> None:
        """Assert what each version shows of an entry."""
        shown = old.read("get_xcom_entry", *here, key, map_index=map_index)
        found = official.read("get_xcom_entry", **place, xcom_key=key, map_index=map_index)
        assert (shown["value"], found["value"]) == (v1, v2)
        assert (shown["execution_date"], found["logical_date"]) == (
            "2024-01-01T00:00:00+00:00",
            "2024-01-01T00:00:00Z",
        )
        assert shown["timestamp"].endswith("+00:00")
        assert found["timestamp"].endswith("Z")
        assert parsed_date(shown["timestamp"]) == parsed_date(found["timestamp"])
        assert shown["map_index"] == found["map_index"] == map_index

    with requests.Session() as v1:  # the old client cannot write
        v1.auth = ("user", "user")
        assert v1.post(url, json={"key": "a/b", "value": "żółć"}).status_code == 200
        both("a/b", "żółć", "żółć")
        update(official, place, "a/b", value={"rows": [2**60 + 1, None]})
        both("a/b", "{'rows': [1152921504606846977, None]}", {"rows": [2**60 + 1, None]})
        assert v1.patch(f"{url}/a%2Fb", json={"value": "true"}).status_code == 200
        both("a/b", "true", "true")
        create(official, place, key="mapped", value=True, map_index=3)
        both("mapped", "True", True, map_index=3)
        for page in (
            old.read("get_xcom_entries", *here),
            official.read("get_xcom_entries", **place),
        ):
            assert [entry["key"] for entry in page["xcom_entries"]] == ["a/b", "mapped"]
        assert v1.delete(f"{url}/a%2Fb").status_code == 204
    assert official.ask("get_xcom_entry", **place, xcom_key="a/b")["error"]["status"] == 404
    official.read("delete_xcom_entry", **place, xcom_key="mapped", map_index=3)
    gone = old.ask("get_xcom_entry", *here, "mapped", map_index=3)["error"]
    assert (gone["name"], gone["status"]) == ("NotFoundException", 404)


def test_v1_client_with_a_wrong_password_is_rejected(
    old: OfficialClient, place: dict[str, str]
) -> None:
    error = old.configured(password="wrong").ask(
        "get_xcom_entries", place["dag_id"], RUN, "extract"
    )["error"]
    assert (error["name"], error["status"]) == ("UnauthorizedException", 401)
