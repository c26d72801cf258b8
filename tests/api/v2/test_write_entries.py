"""POST, PATCH and DELETE create, replace and remove entries as Airflow 3.3.2 does."""

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.calls import RUN
from tests.support.databases import load
from tests.support.v2_calls import (
    create,
    entries,
    entry,
    error_detail,
    stored_values,
)

VALUES: list[Any] = [
    None,
    True,
    0,
    -7,
    2**70,
    1.5,
    1e300,
    "",
    "text",
    "ü🙂",
    "null",
    [],
    {},
    {"z": 1, "a": [1, None, {"b": "c"}]},
]
MISSING = "The XCom with key: `{}` with mentioned task instance doesn't exist."


@pytest.mark.parametrize("value", VALUES)
def test_created_entry_is_returned_and_stored(client: FlaskClient, value: Any) -> None:
    answer = create(client, "k", value)

    assert answer.status_code == 201
    assert json.dumps(answer.get_json()["value"], sort_keys=True) == json.dumps(
        value, sort_keys=True
    )
    assert client.get(entry("k")).get_json() == answer.get_json()


@pytest.mark.parametrize("value", VALUES)
def test_update_replaces_value_and_timestamp(client: FlaskClient, value: Any) -> None:
    created = create(client, "k", "old").get_json()

    answer = client.patch(entry("k"), json={"value": value})

    updated = answer.get_json()
    assert (answer.status_code, updated["value"]) == (200, value)
    assert updated["timestamp"] > created["timestamp"]
    assert {**updated, "value": "old", "timestamp": created["timestamp"]} == created
    assert client.get(entry("k")).get_json() == updated


def test_duplicate_key_is_a_conflict_and_keeps_the_value(client: FlaskClient) -> None:
    create(client, "k", 1)

    detail = error_detail(create(client, "k", 2), 409)

    assert detail == "The XCom with key: `k` with mentioned task instance already exists."
    assert stored_values(client) == {"k": 1}


def test_entry_is_deleted_only_once(client: FlaskClient) -> None:
    create(client, "k", 1)

    removed = client.delete(entry("k"), json={"x": 1})

    assert (removed.status_code, removed.data) == (204, b"")
    assert error_detail(client.delete(entry("k")), 404) == MISSING.format("k")
    assert stored_values(client) == {}


@pytest.mark.parametrize(("given", "index"), [(3, 3), ("3", 3), (3.0, 3), (True, 1), (-1, -1)])
def test_map_index_is_parsed_like_pydantic(client: FlaskClient, given: Any, index: int) -> None:
    created = create(client, "k", 1, map_index=given)
    updated = client.patch(entry("k"), json={"value": 2, "map_index": given})
    removed = client.delete(entry("k"), query_string={"map_index": index})

    assert [answer.status_code for answer in (created, updated, removed)] == [201, 200, 204]
    assert created.get_json()["map_index"] == updated.get_json()["map_index"] == index


def test_write_ignores_map_index_in_the_query(client: FlaskClient) -> None:
    answer = client.post(entries() + "?map_index=3", json={"key": "k", "value": 1})

    assert answer.get_json()["map_index"] == -1
    assert (
        client.patch(entry("k") + "?map_index=3&update_mask=x", json={"value": 2}).status_code
        == 200
    )


@pytest.mark.parametrize("names", [{"dag_id": "nope"}, {"dag_run_id": "~"}, {"task_id": "nope"}])
def test_missing_entry_cannot_be_updated_or_deleted(
    client: FlaskClient, names: dict[str, str]
) -> None:
    create(client)

    for answer in (
        client.patch(entry("k", **names), json={"value": 1}),
        client.delete(entry("k", **names)),
        client.patch(entry("k"), json={"value": 1, "map_index": 10**30}),
    ):
        assert error_detail(answer, 404) == MISSING.format("k")
    assert stored_values(client) == {"k": "v"}


@pytest.mark.parametrize(
    ("names", "detail"),
    [
        (
            {"dag_id": "nope", "task_id": "nope", "dag_run_id": "nope"},
            "The Dag with ID: `nope` was not found",
        ),
        ({"task_id": "nope", "dag_run_id": "nope"}, "Task with ID: `nope` not found in dag: `etl`"),
        ({"dag_run_id": "nope"}, "Dag Run with ID: `nope` not found for dag: `etl`"),
        (
            {"dag_run_id": "r2"},
            "Task instance with ID: `extract` and map_index: `-1` not found in dag run: `r2`",
        ),
        ({"dag_id": "~"}, "The Dag with ID: `~` was not found"),
    ],
)
def test_missing_parents_are_reported_in_airflows_order(
    make_client: Callable[..., FlaskClient], database_url: str, names: dict[str, str], detail: str
) -> None:
    client = make_client(require_parents=True)
    runs = [
        {"dag_id": "etl", "run_id": RUN, "task_instances": [{"task_id": "extract"}]},
        {"dag_id": "etl", "run_id": "r2", "task_instances": [{"task_id": "load"}]},
    ]
    load(database_url, json.dumps({"dag_runs": runs}))

    assert error_detail(client.post(entries(**names), json={"key": "k", "value": 1}), 404) == detail
    assert create(client).status_code == 201


@pytest.mark.parametrize(
    ("names", "detail"),
    [
        ({"dag_id": "~"}, "The Dag with ID: `~` was not found"),
        ({"dag_id": "d" * 251}, f"The Dag with ID: `{'d' * 251}` was not found"),
        ({"task_id": "~"}, "Task with ID: `~` not found in dag: `etl`"),
        ({"dag_run_id": "~"}, "Dag Run with ID: `~` not found for dag: `etl`"),
    ],
)
def test_impossible_ids_are_never_registered(
    client: FlaskClient, names: dict[str, str], detail: str
) -> None:
    assert error_detail(client.post(entries(**names), json={"key": "k", "value": 1}), 404) == detail
    assert stored_values(client) == {}


@pytest.mark.parametrize(
    ("body", "value"),
    [
        ('{"key": "k", "value": 1, "value": 2}', 2),
        ('{"key": "x", "key": "k", "value": 1}', 1),
        ('{"key": "k", "value": {"a": 1, "b": 0, "a": 2}}', {"a": 2, "b": 0}),
    ],
)
def test_last_duplicate_key_wins(client: FlaskClient, body: str, value: Any) -> None:
    answer = client.post(entries(), data=body, content_type="application/json")

    assert (answer.status_code, answer.get_json()["value"]) == (201, value)
    assert stored_values(client) == {"k": value}


def test_names_over_the_combined_limit_are_rejected(client: FlaskClient) -> None:
    names = {"dag_id": "é" * 250, "dag_run_id": "é" * 250, "task_id": "鍵" * 250}

    detail = error_detail(client.post(entries(**names), json={"key": "鍵" * 400, "value": 1}), 400)

    assert re.fullmatch(r"dag_id, .* are 2950 bytes together; the maximum is 2600", detail)
