"""Errors of parameters and bodies of v2, with FastAPI's types, texts and order."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.v2_calls import error_detail

DAGS = "/api/v2/dags"
RUNS = f"{DAGS}/d/dagRuns"
TASK = f"{RUNS}/r/taskInstances/t"


def found(detail: Any) -> list[tuple[str, list[Any]]]:
    return [(each["type"], each["loc"]) for each in detail]


@pytest.mark.parametrize(
    ("path", "errors"),
    [
        (f"{RUNS}?dag_version=1&dag_version=x", [("int_parsing", ["query", "dag_version", 1])]),
        (f"{RUNS}?duration_gte=abc", [("float_parsing", ["query", "duration_gte"])]),
        (f"{RUNS}?duration_gte=nan", [("finite_number", ["query", "duration_gte"])]),
        (
            f"{RUNS}?cursor=%00&logical_date_gte=&limit=-1",
            [
                ("greater_than_equal", ["query", "limit"]),
                ("datetime_from_date_parsing", ["query", "logical_date_gte"]),
                ("string_pattern_mismatch", ["query", "cursor"]),
            ],
        ),
        (
            f"{RUNS}?partition_date_gte=x",
            [("date_from_datetime_parsing", ["query", "partition_date_gte"])],
        ),
        (f"{RUNS}/r/wait", [("missing", ["query", "interval"])]),
        (f"{RUNS}/r/wait?interval=0", [("greater_than", ["query", "interval"])]),
        (f"{RUNS}/r/wait?interval=nan", [("greater_than", ["query", "interval"])]),
        (f"{DAGS}?tags_match_mode=x", [("literal_error", ["query", "tags_match_mode"])]),
        (f"{DAGS}?last_dag_run_state=x", [("enum", ["query", "last_dag_run_state"])]),
        (f"{DAGS}?paused=x", [("bool_parsing", ["query", "paused"])]),
        (f"{TASK}/abc", [("int_parsing", ["path", "map_index"])]),
        (f"{TASK}/logs/-1", [("greater_than_equal", ["path", "try_number"])]),
    ],
)
def test_each_kind_of_parameter_is_validated(
    client: FlaskClient, path: str, errors: list[tuple[str, list[Any]]]
) -> None:
    assert found(error_detail(client.get(path), 422)) == errors


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "state=nope",
            "Invalid value for state. Valid values are queued, running, success, failed",
        ),
        ("state=", "Invalid value for state. Valid values are queued, running, success, failed"),
        (
            "run_type=manual&run_type=x&state=x&limit=abc",
            "Invalid value for run type. Valid values are backfill, scheduled, manual,"
            " operator_triggered, asset_triggered, asset_materialization",
        ),
    ],
)
def test_invalid_state_or_run_type_is_reported_alone(
    client: FlaskClient, query: str, detail: str
) -> None:
    assert error_detail(client.get(f"{RUNS}?{query}"), 422) == detail


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("missing", ["body", "logical_date"])]),
        (
            {"dag_run_id": 5, "logical_date": "x", "conf": "y", "foo": 1},
            [
                ("string_type", ["body", "dag_run_id"]),
                ("datetime_from_date_parsing", ["body", "logical_date"]),
                ("dict_type", ["body", "conf"]),
                ("extra_forbidden", ["body", "foo"]),
            ],
        ),
        ({"logical_date": "2024-07-04"}, [("timezone_aware", ["body", "logical_date"])]),
        (
            {"logical_date": None, "data_interval_end": "2024-07-04T00:00:00Z"},
            [("value_error", ["body"])],
        ),
        ({"logical_date": None, "note": "\0"}, [("string_pattern_mismatch", ["body", "note"])]),
    ],
)
def test_body_of_a_trigger_is_validated(
    client: FlaskClient, body: dict[str, Any], errors: list[tuple[str, list[Any]]]
) -> None:
    assert found(error_detail(client.post(RUNS, json=body), 422)) == errors


def test_enumeration_of_a_body_has_pythons_error(client: FlaskClient) -> None:
    errors = error_detail(client.patch(f"{RUNS}/r", json={"state": "running"}), 422)

    assert errors == [
        {
            "type": "enum",
            "loc": ["body", "state"],
            "msg": "Input should be 'queued', 'success' or 'failed'",
            "input": "running",
            "ctx": {"expected": "'queued', 'success' or 'failed'"},
        }
    ]


def test_errors_of_a_batch_list_contain_positions_in_lists(client: FlaskClient) -> None:
    body = {"states": [None, "nope"], "dag_ids": "x", "page_offset": -1}

    errors = error_detail(client.post(f"{DAGS}/d/dagRuns/list", json=body), 422)

    assert found(errors) == [
        ("literal_error", ["path", "dag_id"]),
        ("greater_than_equal", ["body", "page_offset"]),
        ("list_type", ["body", "dag_ids"]),
        ("enum", ["body", "states", 1]),
    ]


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("running", "'running' is not one of ['success', 'failed', 'skipped']"),
        ("Running", "'running' is not one of ['success', 'failed', 'skipped']"),
        (None, "'new_state' should not be empty"),
    ],
)
def test_new_state_of_a_task_instance_is_validated(
    client: FlaskClient, state: str | None, reason: str
) -> None:
    errors = error_detail(client.patch(TASK, json={"new_state": state}), 422)

    assert errors == [
        {
            "type": "value_error",
            "loc": ["body", "new_state"],
            "msg": f"Value error, {reason}",
            "input": state,
            "ctx": {"error": {}},
        }
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"only_failed": True, "only_running": True}, "only_failed and only_running both are set"),
        (
            {"start_date": "2024-01-02T00:00:00Z", "end_date": "2024-01-01T00:00:00Z"},
            "end_date is sooner than start_date",
        ),
        (
            {
                "dag_run_id": "r",
                "start_date": "2024-01-01T00:00:00Z",
                "end_date": "2024-01-02T00:00:00Z",
            },
            "Exactly one of dag_run_id or (start_date and end_date) must be provided",
        ),
        (
            {"dag_run_id": "r", "start_date": "2024-01-01T00:00:00Z"},
            "Exactly one of dag_run_id or start_date must be provided",
        ),
        (
            {"dag_run_id": "r", "end_date": "2024-01-01T00:00:00Z"},
            "Exactly one of dag_run_id or end_date must be provided",
        ),
        ({"task_ids": []}, "task_ids list should have at least 1 element."),
    ],
)
def test_selection_of_task_instances_is_validated(
    client: FlaskClient, body: dict[str, Any], reason: str
) -> None:
    (error,) = error_detail(client.post(f"{DAGS}/d/clearTaskInstances", json=body), 422)

    assert (error["loc"], error["input"]) == (["body"], body)
    assert error["msg"].startswith(f"Value error, {reason}")


def test_selection_that_is_not_an_object_is_rejected(client: FlaskClient) -> None:
    errors = error_detail(client.post(f"{DAGS}/d/clearTaskInstances", json=[]), 422)

    assert found(errors) == [("model_attributes_type", ["body"])]


def test_task_id_with_a_map_index_is_a_pair(client: FlaskClient) -> None:
    body = {"dag_run_id": "r", "task_ids": ["a", ["b", 1], 5]}

    errors = error_detail(client.post(f"{DAGS}/d/clearTaskInstances", json=body), 422)

    assert found(errors) == [
        ("string_type", ["body", "task_ids", 2, "str"]),
        ("tuple_type", ["body", "task_ids", 2, "tuple[str, int]"]),
    ]


def test_document_is_also_at_the_root(client: FlaskClient) -> None:
    document = client.get("/openapi.json")

    assert document.data == client.get("/api/v2/openapi.json").data
    assert document.get_json()["servers"] == [{"url": "/", "x-added-in": "extension"}]
