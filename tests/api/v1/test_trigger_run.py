"""POST dagRuns: defaults, ids, data intervals, errors and their order."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server import seed_file

from tests.support.v1_calls import create, error_detail, run, runs

DATE = "2024-05-01T00:00:00+00:00"
NOW = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?\+00:00"
SEED = {
    "dags": [
        {"dag_id": "daily", "schedule": "@daily", "tasks": [{"task_id": "a"}]},
        {
            "dag_id": "params",
            "params": {"count": {"value": 3, "schema": {"type": "integer", "maximum": 10}}},
        },
        {"dag_id": "stale", "is_stale": True},
    ]
}


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with three DAGs."""
    client.application.extensions["store"].load(seed_file.read(json.dumps(SEED)))
    return client


def trigger(client: FlaskClient, dag_id: str = "etl", **body: Any) -> dict[str, Any]:
    answer = client.post(runs(dag_id), json=body)
    assert answer.status_code == 200
    return answer.get_json()  # type: ignore[no-any-return]


def test_empty_body_triggers_a_run_now(client: FlaskClient) -> None:
    found = trigger(client)

    date = found["logical_date"]
    assert re.fullmatch(NOW, date)
    assert found == {
        "conf": {},
        "dag_id": "etl",
        "dag_run_id": f"manual__{date}",
        "data_interval_end": date,
        "data_interval_start": date,
        "end_date": None,
        "execution_date": date,
        "external_trigger": True,
        "last_scheduling_decision": None,
        "logical_date": date,
        "note": None,
        "run_type": "manual",
        "start_date": None,
        "state": "queued",
    }


def test_response_is_indented_and_sorted(client: FlaskClient) -> None:
    answer = client.post(runs(), json={"dag_run_id": "r", "conf": {"b": 1.5, "a": {}}})

    expected = json.dumps(answer.get_json(), indent=2, sort_keys=True) + "\n"
    assert answer.get_data(as_text=True) == expected


def test_response_repeats_the_offset_and_later_ones_are_in_utc(client: FlaskClient) -> None:
    found = trigger(client, logical_date="2024-05-07T01:00:00+02:00")

    assert found["dag_run_id"] == "manual__2024-05-07T01:00:00+02:00"
    assert found["logical_date"] == found["data_interval_end"] == "2024-05-07T01:00:00+02:00"
    read_again = client.get(run(found["dag_run_id"])).get_json()
    assert read_again["logical_date"] == "2024-05-06T23:00:00+00:00"


@pytest.mark.parametrize("field", ["logical_date", "execution_date"])
def test_logical_date_has_two_names(client: FlaskClient, field: str) -> None:
    found = trigger(client, **{field: "2024-05-01T00:00:00.25Z"})

    assert found["logical_date"] == found["execution_date"] == "2024-05-01T00:00:00.250000+00:00"
    assert found["dag_run_id"] == "manual__2024-05-01T00:00:00.250000+00:00"


def test_two_different_dates_are_refused(client: FlaskClient) -> None:
    answer = client.post(
        runs(), json={"logical_date": "2024-05-01T00:00:00Z", "execution_date": DATE}
    )

    detail = error_detail(answer, 400, "logical_date conflicts with execution_date")
    assert detail == f"'2024-05-01T00:00:00Z' != '{DATE}'"


def test_data_interval_is_given_or_inferred(seeded: FlaskClient) -> None:
    inferred = trigger(seeded, "daily", logical_date="2024-05-08T15:30:00Z")
    given = trigger(seeded, "daily", data_interval_start=DATE, data_interval_end=DATE)
    null: dict[str, Any] = {"data_interval_start": None, "data_interval_end": None}
    no_interval = trigger(seeded, logical_date=DATE, **null)

    assert inferred["data_interval_start"] == "2024-05-07T00:00:00+00:00"
    assert inferred["data_interval_end"] == "2024-05-08T00:00:00+00:00"
    assert given["data_interval_start"] == given["data_interval_end"] == DATE
    assert no_interval["data_interval_start"] == DATE


@pytest.mark.parametrize("field", ["data_interval_start", "data_interval_end"])
def test_half_of_a_data_interval_is_refused(client: FlaskClient, field: str) -> None:
    answer = client.post(runs(), json={field: DATE})

    assert error_detail(answer, 400) == (
        "{'_schema': [\"Both 'data_interval_start' and 'data_interval_end' must be specified"
        ' together"]}'
    )


def test_conf_and_note_are_stored(client: FlaskClient) -> None:
    conf = {"ü": [1, {"b": None}], "a": 1e-7}

    found = trigger(client, dag_run_id="r", conf=conf, note="ä")

    assert (found["conf"], found["note"]) == (conf, "ä")
    assert client.get(run("r")).get_json()["conf"] == conf


def test_empty_id_and_note_are_like_missing_ones(client: FlaskClient) -> None:
    found = trigger(client, dag_run_id="", note="", logical_date=DATE)

    assert (found["dag_run_id"], found["note"]) == (f"manual__{DATE}", None)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"conf": "x"}, "'x' is not of type 'object' - 'conf'"),
        ({"conf": None}, "None is not of type 'object' - 'conf'"),
        ({"dag_run_id": 5}, "5 is not of type 'string' - 'dag_run_id'"),
        ({"dag_run_id": None}, "{'dag_run_id': ['Field may not be null.']}"),
        (
            {"dag_run_id": "r", "logical_date": None},
            "{'logical_date': ['Field may not be null.']}",
        ),
        ({"dag_run_id": "x" * 251}, "{'dag_run_id': ['Longer than maximum length 250.']}"),
        ({"note": "x" * 1001}, "{'note': ['Longer than maximum length 1000.']}"),
        ({"note": "\0"}, "'\\x00' does not match '^[^\\\\x00]*$' - 'note'"),
        ({"run_id": "x"}, "{'run_id': ['Unknown field.']}"),
        ({"logical_date": "yesterday"}, "'yesterday' is not a 'date-time' - 'logical_date'"),
        (
            {"data_interval_start": "2024-05-01T00:00:00"},
            "'2024-05-01T00:00:00' is not a 'date-time' - 'data_interval_start'",
        ),
        ({"logical_date": "2024-05-01 00:00:00Z"}, "'2024-05-01 00:00:00Z' is not a 'date-time'"),
        ({"logical_date": 5}, "5 is not of type 'string' - 'logical_date'"),
        ({"state": "running"}, "Property is read-only - 'state'"),
        ({"start_date": DATE}, "Property is read-only - 'start_date'"),
        ({"end_date": None}, "Property is read-only - 'end_date'"),
    ],
)
def test_invalid_body_is_refused(client: FlaskClient, body: dict[str, Any], detail: str) -> None:
    answer = client.post(runs(), json=body)

    assert str(error_detail(answer, 400)).startswith(detail)
    assert client.get(runs()).get_json()["total_entries"] == 0


def test_null_date_without_an_id_has_a_text_of_its_own(client: FlaskClient) -> None:
    answer = client.post(runs(), json={"logical_date": None})

    assert error_detail(answer, 400, "Incorrect datetime argument") == (
        "argument 'input': 'NoneType' object cannot be converted to 'PyString'"
    )


@pytest.mark.parametrize(
    ("run_id", "detail"),
    [
        ("a b", "The run_id provided 'a b' does not match regex pattern"),
        ("dataset_triggered__x", "A manual DAG run cannot use ID 'dataset_triggered__x' since"),
        ("~", "'~' stands for any DAG run and cannot be the ID of one"),
    ],
)
def test_id_that_is_not_allowed_is_refused(client: FlaskClient, run_id: str, detail: str) -> None:
    answer = client.post(runs(), json={"dag_run_id": run_id})

    assert str(error_detail(answer, 400)).startswith(detail)


def test_pattern_of_ids_can_be_configured(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(allowed_run_id_pattern="^[a-z]+$")

    assert client.post(runs(), json={"dag_run_id": "abc"}).status_code == 200
    assert client.post(runs(), json={"logical_date": DATE}).status_code == 200
    assert "'^[a-z]+$'" in str(error_detail(client.post(runs(), json={"dag_run_id": "ABC"}), 400))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        ({"dag_run_id": "one"}, "ID: 'one'"),
        (
            {"dag_run_id": "two", "logical_date": "2024-05-01T02:00:00+02:00"},
            "logical date: '2024-05-01 02:00:00+02:00'",
        ),
        ({"dag_run_id": "one", "logical_date": DATE}, "logical date: '2024-05-01 00:00:00+00:00'"),
        ({"dag_run_id": "one", "logical_date": "2024-06-01T00:00:00Z"}, "ID: 'one'"),
        ({"dag_run_id": "a b", "logical_date": DATE}, "logical date: '2024-05-01 00:00:00+00:00'"),
    ],
)
def test_run_that_exists_is_a_conflict(
    client: FlaskClient, body: dict[str, Any], what: str
) -> None:
    trigger(client, dag_run_id="one", logical_date=DATE)
    trigger(client, dag_run_id="june", logical_date="2024-06-01T00:00:00Z")

    answer = client.post(runs(), json=body)

    assert error_detail(answer, 409, "Conflict") == (
        f"DAGRun with DAG ID: 'etl' and DAGRun {what} already exists"
    )


def test_invalid_param_is_refused(seeded: FlaskClient) -> None:
    answer = seeded.post(runs("params"), json={"conf": {"count": 11}})

    assert str(error_detail(answer, 400)).startswith(
        "Invalid input for param count: 11 is greater than the maximum of 10"
    )
    assert trigger(seeded, "params", conf={"count": 10, "more": 1})["conf"]["count"] == 10


@pytest.mark.parametrize("dag_id", ["stale", "~"])
def test_run_of_a_dag_that_is_stale_or_a_wildcard_is_a_404(
    seeded: FlaskClient, dag_id: str
) -> None:
    answer = seeded.post(runs(dag_id), json={"unknown": 1})

    assert error_detail(answer, 404, "DAG not found") == f"DAG with dag_id: '{dag_id}' not found"


def test_unknown_dag_is_a_404_if_parents_are_required(
    make_client: Callable[..., FlaskClient],
) -> None:
    answer = make_client(require_parents=True).post(runs("nope"), json={})

    assert error_detail(answer, 404, "DAG not found") == "DAG with dag_id: 'nope' not found"


def test_run_that_registers_a_dag_is_logged(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    """A typing error in the id of a DAG would be hard to find otherwise."""
    for _ in range(2):
        trigger(client, "salse")

    assert [record.getMessage() for record in caplog.records] == [
        "A run registers the unknown DAG 'salse'. With XCOM_REQUIRE_PARENTS=true it gets a 404."
    ]


def test_errors_of_the_body_precede_those_of_the_user(
    make_client: Callable[..., FlaskClient], users_file: Path
) -> None:
    client = make_client(auth="users", users_file=str(users_file))

    assert client.post(runs(), json={"conf": 1}).status_code == 400
    assert client.post(runs(), data="{}").status_code == 415
    assert client.post(runs(), json={"unknown": 1}).status_code == 401


def test_entry_can_be_written_to_a_triggered_run(client: FlaskClient) -> None:
    found = trigger(client, dag_run_id="r", logical_date=DATE)

    answer = client.post(
        f"{run('r')}/taskInstances/extract/xcomEntries", json={"key": "k", "value": "v"}
    )

    assert answer.get_json()["execution_date"] == found["logical_date"]


def test_task_instances_of_the_dag_are_created(seeded: FlaskClient) -> None:
    trigger(seeded, "daily", dag_run_id="r")

    cleared = seeded.post(f"{run('r', 'daily')}/clear", json={}).get_json()

    assert [each["task_id"] for each in cleared["task_instances"]] == ["a"]


def test_run_of_an_entry_is_in_the_list(client: FlaskClient) -> None:
    create(client)

    listed = client.get(runs()).get_json()["dag_runs"]

    assert [(each["run_type"], each["state"]) for each in listed] == [("scheduled", "success")]
