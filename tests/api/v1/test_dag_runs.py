"""DAG runs: reading, listing, changing, clearing and deleting them."""

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server import seed_file
from xcom_server.storage.queries import Filter

from tests.support.v1_calls import entries, error_detail, run, runs

SEED: dict[str, Any] = {
    "dag_runs": [
        {
            "dag_id": "etl",
            "run_id": "one",
            "logical_date": "2024-01-01T00:00:00Z",
            "run_type": "manual",
            "state": "success",
            "start_date": "2024-01-01T00:00:01Z",
            "end_date": "2024-01-01T00:01:00.5Z",
            "last_scheduling_decision": "2024-01-01T00:01:00Z",
            "conf": {"b": 1, "a": [1.5, None]},
            "note": "first",
            "task_instances": [
                {"task_id": "extract", "state": "success", "try_number": 1},
                {"task_id": "load", "state": "failed", "try_number": 1},
            ],
        },
        {
            "dag_id": "etl",
            "run_id": "two",
            "logical_date": "2024-01-02T00:00:00Z",
            "run_type": "asset_triggered",
            "state": "failed",
            "start_date": "2024-01-02T00:00:01Z",
            "end_date": "2024-01-02T00:01:00Z",
        },
        {
            "dag_id": "etl",
            "run_id": "three",
            "logical_date": None,
            "run_after": "2024-01-03T00:00:00Z",
            "run_type": "scheduled",
            "state": "running",
            "start_date": "2024-01-03T00:00:01Z",
        },
        {
            "dag_id": "other",
            "run_id": "four",
            "logical_date": "2024-01-04T00:00:00Z",
            "run_type": "manual",
            "state": "queued",
        },
    ],
    "entries": [
        {"dag_id": "etl", "run_id": "one", "task_id": "extract", "key": "k", "value": 1},
    ],
}


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with four runs."""
    client.application.extensions["store"].load(seed_file.read(json.dumps(SEED)))
    return client


def listed(client: FlaskClient, query: str = "", dag_id: str = "~") -> list[str]:
    """Return the ids of the runs in a list."""
    answer = client.get(f"{runs(dag_id)}?{query}")
    assert answer.status_code == 200, answer.get_json()
    return [each["dag_run_id"] for each in answer.get_json()["dag_runs"]]


def batch(client: FlaskClient, **body: Any) -> list[str]:
    """Return the ids of the runs in a list whose filters are in a body."""
    answer = client.post(f"{runs('~')}/list", json=body)
    assert answer.status_code == 200, answer.get_json()
    return [each["dag_run_id"] for each in answer.get_json()["dag_runs"]]


def states(client: FlaskClient, dag_run_id: str) -> dict[str, str | None]:
    """Return the states of a run's task instances."""
    page = client.application.extensions["store"].task_instances.list(
        Filter.of(run_id=dag_run_id), limit=100
    )
    return {each.task_id: each.state for each in page.entries}


def test_run_has_every_field(seeded: FlaskClient) -> None:
    answer = seeded.get(run("one"))

    assert answer.get_json() == {
        "conf": {"a": [1.5, None], "b": 1},
        "dag_id": "etl",
        "dag_run_id": "one",
        "data_interval_end": "2024-01-01T00:00:00+00:00",
        "data_interval_start": "2024-01-01T00:00:00+00:00",
        "end_date": "2024-01-01T00:01:00.500000+00:00",
        "execution_date": "2024-01-01T00:00:00+00:00",
        "external_trigger": True,
        "last_scheduling_decision": "2024-01-01T00:01:00+00:00",
        "logical_date": "2024-01-01T00:00:00+00:00",
        "note": "first",
        "run_type": "manual",
        "start_date": "2024-01-01T00:00:01+00:00",
        "state": "success",
    }
    assert [*answer.get_json()["conf"]] == ["a", "b"]


def test_types_have_their_names_of_airflow_2(seeded: FlaskClient) -> None:
    found = seeded.get(run("two")).get_json()

    assert (found["run_type"], found["external_trigger"]) == ("dataset_triggered", False)


def test_run_without_a_logical_date_has_the_date_after_which_it_runs(seeded: FlaskClient) -> None:
    found = seeded.get(run("three")).get_json()

    assert found["logical_date"] == found["execution_date"] == "2024-01-03T00:00:00+00:00"
    assert listed(seeded, "execution_date_gte=2024-01-03T00:00:00Z") == ["three", "four"]
    assert listed(seeded, "execution_date_lte=2024-01-03T00:00:00Z") == ["one", "two", "three"]


def test_fields_select_the_fields_of_a_response(seeded: FlaskClient) -> None:
    one = seeded.get(run("one") + "?fields=state,dag_id&fields=state")
    many = seeded.get(runs() + "?fields=dag_run_id&limit=2")

    assert one.get_json() == {"dag_id": "etl", "state": "success"}
    assert many.get_json() == {
        "dag_runs": [{"dag_run_id": "one"}, {"dag_run_id": "two"}],
        "total_entries": 3,
    }


@pytest.mark.parametrize(("fields", "name"), [("nope", "nope"), ("state,nope,x", "nope"), ("", "")])
def test_unknown_field_is_refused(seeded: FlaskClient, fields: str, name: str) -> None:
    one = seeded.get(f"{run('one')}?fields={fields}")
    many = seeded.get(f"{runs()}?fields={fields}")

    assert error_detail(one, 400, "DAGRunSchema error") == f"{name} not in DAGRunSchema"
    assert error_detail(many, 400, "DAGRunCollectionSchema error") == f"{name} not in DAGRunSchema"


@pytest.mark.parametrize("dag_id", ["etl", "~", "nope"])
def test_unknown_run_is_a_404(seeded: FlaskClient, dag_id: str) -> None:
    answer = seeded.get(run("nope", dag_id))

    assert error_detail(answer, 404, "DAGRun not found") == (
        f"DAGRun with DAG ID: '{dag_id}' and DagRun ID: 'nope' not found"
    )


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["one", "two", "three", "four"]),
        ("limit=2", ["one", "two"]),
        ("limit=2&offset=3", ["four"]),
        ("limit=0", ["one", "two", "three", "four"]),
        ("order_by=-id", ["four", "three", "two", "one"]),
        ("order_by=--id", ["four", "three", "two", "one"]),
        ("order_by=dag_id", ["one", "two", "three", "four"]),
        ("order_by=-dag_id", ["four", "one", "two", "three"]),
        ("order_by=dag_run_id", ["four", "one", "three", "two"]),
        ("order_by=execution_date", ["three", "one", "two", "four"]),
        ("order_by=start_date", ["four", "one", "two", "three"]),
        ("order_by=-end_date", ["two", "one", "three", "four"]),
        ("order_by=external_trigger", ["two", "three", "one", "four"]),
        ("order_by=-external_trigger", ["one", "four", "two", "three"]),
        ("order_by=state", ["two", "four", "three", "one"]),
        ("order_by=state&order_by=-id", ["four", "three", "two", "one"]),
        ("state=failed,queued", ["two", "four"]),
        ("state=failed&state=success", ["one", "two"]),
        ("state=nope", []),
        ("state=", []),
        ("state=none", []),
        ("start_date_gte=2024-01-02T00:00:01Z", ["two", "three"]),
        ("start_date_lte=2024-01-02T00:00:01Z", ["one", "two"]),
        ("end_date_gte=2024-01-02T00:01:00%2B00:00", ["two"]),
        ("end_date_lte=2024-01-02T02:01:00%2B02:00", ["one", "two"]),
        ("execution_date_gte=2024-01-02T00:00:00Z&state=failed", ["two"]),
        ("updated_at_gte=2024-01-02T00:00:00Z&updated_at_lte=2024-01-02T00:00:00Z", []),
    ],
)
def test_list_is_filtered_and_ordered(seeded: FlaskClient, query: str, ids: list[str]) -> None:
    assert listed(seeded, query) == ids


def test_list_of_an_unknown_dag_is_empty(seeded: FlaskClient) -> None:
    assert seeded.get(runs("nope")).get_json() == {"dag_runs": [], "total_entries": 0}


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("order_by=nope", "Ordering with 'nope' is disallowed or the attribute does not exist"),
        ("order_by=-", "Ordering with '' is disallowed"),
        ("order_by=logical_date", "Ordering with 'logical_date' is disallowed"),
        ("start_date_gte=2024-01-05", "'2024-01-05' is not a 'date-time'\n\nFailed validating"),
        ("start_date_gte=2024-01-05T00:00:00+00:00", "'2024-01-05T00:00:00 00:00' is not a"),
        ("start_date_gte=0000-01-01T00:00:00Z", "'0000-01-01T00:00:00Z' is not a 'date-time'"),
        ("start_date_gte=2024-01-01 00:00:00Z", "'2024-01-01 00:00:00Z' is not a 'date-time'"),
        ("limit=1.5", "Wrong type, expected 'integer' for query parameter 'limit'"),
        ("offset=-1", "-1 is less than the minimum of 0"),
        ("state=%00", "Invalid length or character in query parameter 'state'"),
        (f"state={','.join(map(str, range(1001)))}", "state has more than 1000 values"),
    ],
)
def test_invalid_parameter_is_refused(seeded: FlaskClient, query: str, detail: str) -> None:
    assert str(error_detail(seeded.get(f"{runs()}?{query}"), 400)).startswith(detail)


def test_negative_limit_has_a_title_of_its_own(seeded: FlaskClient) -> None:
    title = "Page limit must be a positive integer"

    assert error_detail(seeded.get(runs() + "?limit=-1"), 400, title) is None


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({}, ["one", "two", "three", "four"]),
        ({"dag_ids": []}, ["one", "two", "three", "four"]),
        ({"dag_ids": ["other", "nope"]}, ["four"]),
        ({"states": ["failed", "queued"]}, ["two", "four"]),
        ({"order_by": "-execution_date", "page_limit": 2}, ["four", "two"]),
        ({"page_offset": 3}, ["four"]),
        ({"end_date_lte": "2024-01-01T12:00:00Z"}, ["one"]),
        ({"execution_date_gte": "2024-01-04T00:00:00Z"}, ["four"]),
        ({"updated_at_gte": "2999-01-01T00:00:00Z"}, ["one", "two", "three", "four"]),
    ],
)
def test_filters_can_be_in_a_body(
    seeded: FlaskClient, body: dict[str, Any], ids: list[str]
) -> None:
    assert batch(seeded, **body) == ids


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"unknown": 1}, "{'unknown': ['Unknown field.']}"),
        ({"page_limit": 0}, "0 is less than the minimum of 1 - 'page_limit'"),
        ({"page_limit": 2**63}, "9223372036854775808 is greater than the maximum of"),
        ({"page_offset": 2**63}, "9223372036854775808 is greater than the maximum of"),
        ({"start_date_gte": "x"}, "'x' is not a 'date-time' - 'start_date_gte'"),
        ({"updated_at_gte": "x"}, "{'updated_at_gte': ['Not a valid datetime.']}"),
        ({"dag_ids": "etl"}, "'etl' is not of type 'array' - 'dag_ids'"),
        ({"dag_ids": ["\0"]}, "'\\x00' does not match '^[^\\\\x00]*$' - 'dag_ids.0'"),
        ({"order_by": "nope"}, "Ordering with 'nope' is disallowed"),
    ],
)
def test_invalid_filter_in_a_body_is_refused(
    seeded: FlaskClient, body: dict[str, Any], detail: str
) -> None:
    answer = seeded.post(f"{runs('~')}/list", json=body)

    assert str(error_detail(answer, 400)).startswith(detail)


def test_list_in_a_body_is_only_for_any_dag(seeded: FlaskClient) -> None:
    assert seeded.post(f"{runs()}/list", json={}).status_code == 405
    assert error_detail(seeded.get(f"{runs('~')}/list"), 404, "DAGRun not found") == (
        "DAGRun with DAG ID: '~' and DagRun ID: 'list' not found"
    )


@pytest.mark.parametrize(
    ("state", "tasks"),
    [
        ("success", {"extract": "success", "load": "success"}),
        ("failed", {"extract": "success", "load": "failed"}),
        ("queued", {"extract": "success", "load": "failed"}),
    ],
)
def test_state_of_a_run_and_its_tasks_is_set(
    seeded: FlaskClient, state: str, tasks: dict[str, str]
) -> None:
    found = seeded.patch(run("one"), json={"state": state}).get_json()

    assert (found["state"], found["start_date"] is None) == (state, state == "queued")
    assert states(seeded, "one") == tasks


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"state": "running"}, "'running' is not one of ['success', 'failed', 'queued'] - 'state'"),
        ({"state": None}, "None is not of type 'string' - 'state'"),
        ({}, "{'state': ['Missing data for required field.']}"),
        ({"state": "success", "note": "x"}, "{'note': ['Unknown field.']}"),
    ],
)
def test_invalid_state_is_refused(seeded: FlaskClient, body: dict[str, Any], detail: str) -> None:
    assert error_detail(seeded.patch(run("one"), json=body), 400) == detail


def test_note_is_set(seeded: FlaskClient) -> None:
    assert seeded.patch(f"{run('one')}/setNote", json={"note": "é"}).get_json()["note"] == "é"
    assert seeded.patch(f"{run('one')}/setNote", json={"note": ""}).get_json()["note"] == ""
    assert seeded.get(run("one")).get_json()["note"] == ""


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"note": None}, "None is not of type 'string' - 'note'"),
        ({"note": "x" * 1001}, "{'note': ['Longer than maximum length 1000.']}"),
        ({}, "{'note': ['Missing data for required field.']}"),
        ({"note": "x", "state": "failed"}, "{'state': ['Unknown field.']}"),
    ],
)
def test_invalid_note_is_refused(seeded: FlaskClient, body: dict[str, Any], detail: str) -> None:
    answer = seeded.patch(f"{run('one')}/setNote", json=body)

    assert error_detail(answer, 400) == detail


@pytest.mark.parametrize("body", [{}, {"dry_run": True}])
def test_dry_run_of_clear_lists_the_task_instances(
    seeded: FlaskClient, body: dict[str, Any]
) -> None:
    answer = seeded.post(f"{run('one')}/clear", json=body)

    assert answer.get_json()["task_instances"][0] == {
        "dag_id": "etl",
        "dag_run_id": "one",
        "execution_date": "2024-01-01T00:00:00+00:00",
        "task_id": "extract",
    }
    assert seeded.get(run("one")).get_json()["state"] == "success"


def test_cleared_run_is_queued_and_keeps_its_entries(seeded: FlaskClient) -> None:
    found = seeded.post(f"{run('one')}/clear", json={"dry_run": False}).get_json()

    assert found["state"] == "queued"
    dates = [found[name] for name in ("start_date", "end_date", "last_scheduling_decision")]
    assert dates == [None, None, None]
    assert states(seeded, "one") == {"extract": None, "load": None}
    assert seeded.get(entries("etl", "one", "extract")).get_json()["total_entries"] == 1


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"dry_run": "false"}, "'false' is not of type 'boolean' - 'dry_run'"),
        ({"only_failed": True}, "{'only_failed': ['Unknown field.']}"),
    ],
)
def test_invalid_clear_is_refused(seeded: FlaskClient, body: dict[str, Any], detail: str) -> None:
    assert error_detail(seeded.post(f"{run('one')}/clear", json=body), 400) == detail


def test_deleted_run_is_gone_with_its_entries(seeded: FlaskClient) -> None:
    answer = seeded.delete(run("one"))

    assert (answer.status_code, answer.data) == (204, b"")
    assert seeded.get(run("one")).status_code == 404
    assert seeded.get(entries("etl", "one", "extract")).get_json()["total_entries"] == 0


def test_running_run_can_be_deleted(seeded: FlaskClient) -> None:
    assert seeded.delete(run("three")).status_code == 204


def test_404_of_each_change_has_its_own_text(seeded: FlaskClient) -> None:
    title = "Dag Run id nope not found in dag etl"

    assert error_detail(seeded.patch(run("nope"), json={"x": 1}), 404, title) is None
    assert error_detail(seeded.patch(f"{run('nope')}/setNote", json={}), 404, title) is None
    cleared = seeded.post(f"{run('nope')}/clear", json={})
    assert error_detail(cleared, 404, title.replace("dag etl", "dag   etl")) is None
    assert error_detail(seeded.delete(run("nope")), 404, "Not Found") == (
        "DAGRun with DAG ID: 'etl' and DagRun ID: 'nope' not found"
    )


def test_run_goes_through_its_states_one_per_read(client: FlaskClient) -> None:
    client.post(runs(), json={"dag_run_id": "r"})

    found = [client.get(run("r")).get_json()["state"] for _ in range(4)]

    assert found == ["queued", "running", "success", "success"]


def test_import_errors_are_always_empty(client: FlaskClient) -> None:
    path = "/api/v1/importErrors"

    assert client.get(path).get_json() == {"import_errors": [], "total_entries": 0}
    assert client.get(path + "?limit=-1").status_code == 400
