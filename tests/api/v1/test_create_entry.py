"""POST …/xcomEntries creates one entry, or stores nothing and reports why."""

from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.support.calls import RUN
from tests.support.databases import load
from tests.support.v1_calls import (
    RUN_DATE,
    assert_refused,
    create,
    entries,
    entry,
    error_detail,
    stored_values,
)


def test_created_entry_is_returned_and_stored(client: FlaskClient) -> None:
    answer = create(client, "k", "v", timestamp="2024-05-06T07:08:09.123456+00:00")

    assert answer.status_code == 200
    assert (
        answer.get_json()
        == client.get(entry("k")).get_json()
        == {
            "dag_id": "etl",
            "execution_date": RUN_DATE,
            "key": "k",
            "map_index": -1,
            "task_id": "extract",
            "timestamp": "2024-05-06T07:08:09.123456+00:00",
            "value": "v",
        }
    )


def test_duplicate_key_is_a_conflict_and_keeps_the_value(client: FlaskClient) -> None:
    create(client, "k", "first")

    detail = error_detail(create(client, "k", "second"), 409, "Conflict")

    assert detail == "XCom entry already exists. Key: k"
    assert stored_values(client) == {"k": "first"}


@pytest.mark.parametrize(
    "value", ["", "plain", '{"a": 1}', "żółć ☃ 🙂", "a\0b", " \n\t", "x" * 100_000, None]
)
def test_value_is_returned_unchanged(client: FlaskClient, value: str | None) -> None:
    assert create(client, "k", value).get_json()["value"] == value
    assert stored_values(client) == {"k": value}


@pytest.mark.parametrize("value", [5, 1.5, True, [], {"a": 1}])
def test_value_that_is_not_a_string_is_rejected(client: FlaskClient, value: Any) -> None:
    detail = error_detail(create(client, "k", value), 400)

    assert detail == f"{value!r} is not of type 'string' - 'value'"
    assert stored_values(client) == {}


@pytest.mark.parametrize(
    ("body", "missing"),
    [({"value": "v"}, ["key"]), ({"key": "k"}, ["value"]), ({}, ["key", "value"])],
)
def test_error_lists_missing_fields(
    client: FlaskClient, body: dict[str, str], missing: list[str]
) -> None:
    detail = error_detail(client.post(entries(), json=body), 400)

    assert detail == str({field: ["Missing data for required field."] for field in missing})


def test_error_lists_unknown_fields_in_order(client: FlaskClient) -> None:
    detail = error_detail(create(client, zeta=1, bogus=2, alpha={"a": []}), 400)

    assert detail == str({name: ["Unknown field."] for name in ("alpha", "bogus", "zeta")})
    assert stored_values(client) == {}


@pytest.mark.parametrize("field", ["dag_id", "task_id", "map_index"])
def test_body_that_contradicts_the_path_is_rejected(client: FlaskClient, field: str) -> None:
    detail = error_detail(
        create(client, "k", "v", **{field: 7 if field == "map_index" else "other"}), 400
    )

    assert detail == f"{field} from request body doesn't match uri parameter"
    assert stored_values(client) == {}


def test_entry_can_be_recreated_from_its_response(client: FlaskClient) -> None:
    read = create(client).get_json()
    client.delete(entry("k"))

    assert client.post(entries(), json=read).get_json() == read


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2024-05-06T07:08:09+00:00", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06T07:08:09Z", "2024-05-06T07:08:09+00:00"),
        ("2024-05-06t09:08:09.5+02:00", "2024-05-06T07:08:09.500000+00:00"),
        ("2024-05-06T07:08:09.123456789Z", "2024-05-06T07:08:09.123456+00:00"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:00"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999+00:00"),
    ],
)
def test_given_timestamp_is_kept(client: FlaskClient, given: str, shown: str) -> None:
    assert create(client, timestamp=given).get_json()["timestamp"] == shown
    assert client.get(entry("k")).get_json()["timestamp"] == shown


@pytest.mark.parametrize("field", ["timestamp", "execution_date"])
@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2024-01-01",
        "2024-01-01T00:00:00",
        "2024-01-01T00:00Z",
        "2024-13-01T00:00:00Z",
        "2024-01-01T25:00:00Z",
        "2024-01-01T00:00:00+25:00",
        "20240101T000000Z",
        "1704067200",
        "2024-01-01T00:00:00+00:60",
        "2024-01-01T00:60:00Z",
        "2024-01-01T24:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        "٢٠٢٤-01-01T00:00:00Z",
        "2024-01-01T00:00:00Z ",
    ],
)
def test_date_that_is_not_rfc3339_is_rejected(client: FlaskClient, field: str, text: str) -> None:
    assert error_detail(create(client, **{field: text}), 400) == (
        f"{{'{field}': ['Not a valid datetime.']}}"
    )
    assert stored_values(client) == {}


def test_execution_date_that_contradicts_the_run_is_rejected(client: FlaskClient) -> None:
    detail = error_detail(create(client, execution_date="2024-01-02T00:00:00+00:00"), 400)

    assert detail == (
        f"execution_date from request body doesn't match the DAG run's, which is {RUN_DATE}"
    )
    assert stored_values(client) == {}


def test_execution_date_in_another_time_zone_is_accepted(client: FlaskClient) -> None:
    answer = create(client, execution_date="2024-01-01T02:00:00+02:00")

    assert answer.get_json()["execution_date"] == RUN_DATE


@pytest.mark.parametrize(
    ("run_id", "given", "date"),
    [
        ("manual__2024-02-03T04:05:06.789000+00:00", None, "2024-02-03T04:05:06.789000+00:00"),
        ("dataset_triggered__2024-02-03T06:05:06+02:00", None, "2024-02-03T04:05:06+00:00"),
        ("manual__2024-02-03T04:05:06+00:00_Ab12", None, "2024-02-03T04:05:06+00:00"),
        ("My_run2__2024-02-03T04:05:06+00:00", None, "2024-02-03T04:05:06+00:00"),
        ("my run", "2024-05-06T00:00:00Z", "2024-05-06T00:00:00+00:00"),
    ],
)
def test_new_run_gets_its_date_from_its_id_or_the_body(
    client: FlaskClient, run_id: str, given: str | None, date: str
) -> None:
    body = {"key": "k", "value": "v"} | ({"execution_date": given} if given else {})

    assert client.post(entries(dag_run_id=run_id), json=body).get_json()["execution_date"] == date


@pytest.mark.parametrize("run_id", ["my run", "manual__2024-13-03T04:05:06+00:00", "manual__x"])
def test_new_run_without_a_date_gets_the_current_time(client: FlaskClient, run_id: str) -> None:
    first = client.post(entries(dag_run_id=run_id), json={"key": "a", "value": "v"}).get_json()
    second = client.post(entries(dag_run_id=run_id), json={"key": "b", "value": "v"}).get_json()

    assert first["execution_date"] == second["execution_date"] == first["timestamp"]


@pytest.mark.parametrize("names", [{"dag_id": "~"}, {"dag_run_id": "~"}, {"task_id": "~"}])
def test_write_to_a_tilde_path_is_a_404(client: FlaskClient, names: dict[str, str]) -> None:
    detail = error_detail(
        client.post(entries(**names), json={"key": "k", "value": "v"}), 404, "Not Found"
    )

    assert detail is not None
    assert "'~' stands for any" in detail
    assert client.patch(entry("k", **names), json={"value": "v"}).status_code == 404
    assert client.delete(entry("k", **names)).status_code == 404
    assert stored_values(client) == {}


def test_map_index_selects_the_entry_to_write(client: FlaskClient) -> None:
    path = entries()
    for index in (0, 1):
        client.post(
            path, json={"key": "k", "value": f"v{index}"}, query_string={"map_index": index}
        )
    client.patch(entry("k"), json={"value": "new"}, query_string={"map_index": 1})
    client.delete(entry("k"), query_string={"map_index": 0})

    assert client.get(entry("k")).status_code == 404
    assert client.get(entry("k"), query_string={"map_index": 1}).get_json()["value"] == "new"
    assert client.get(path).get_json()["total_entries"] == 1


@pytest.mark.parametrize("map_index", ["-2", "2147483648", "99999999999999999999", "x", ""])
def test_invalid_map_index_is_rejected(client: FlaskClient, map_index: str) -> None:
    answer = client.post(
        entries(), json={"key": "k", "value": "v"}, query_string={"map_index": map_index}
    )

    assert_refused(answer, 400)
    assert stored_values(client) == {}


@pytest.mark.parametrize(
    ("names", "title", "detail"),
    [
        ({"dag_id": "nope"}, "DAG not found", "The DAG with dag_id: nope was not found"),
        (
            {"dag_run_id": "nope"},
            "DAGRun not found",
            "DAGRun with DAG ID: 'etl' and DagRun ID: 'nope' not found",
        ),
        (
            {"task_id": "nope"},
            "Task instance not found",
            "Task instance with task_id: 'nope' and map_index: -1 not found in DagRun ID: 'r'"
            " of DAG ID: 'etl'",
        ),
    ],
)
def test_error_names_the_missing_parent(
    make_client: Callable[..., FlaskClient],
    database_url: str,
    names: dict[str, str],
    title: str,
    detail: str,
) -> None:
    client = make_client(require_parents=True)
    load(
        database_url,
        '{"dag_runs": [{"dag_id": "etl", "run_id": "r", "task_instances":'
        ' [{"task_id": "extract"}]}]}',
    )
    known = {"dag_run_id": "r"}

    missing = client.post(entries(**known | names), json={"key": "k", "value": "v"})
    found = client.post(entries(**known), json={"key": "k", "value": "v"})

    assert error_detail(missing, 404, title) == detail
    assert found.status_code == 200


@pytest.mark.parametrize(
    ("key", "status"),
    [("k" * 10 + "鍵" * 280, 200), ("k" * 11 + "鍵" * 280, 400), ("鍵" * 512, 400)],
    ids=["at the limit", "one byte over", "longest key"],
)
def test_names_over_the_combined_limit_are_rejected(
    client: FlaskClient, key: str, status: int
) -> None:
    names = {"dag_id": "é" * 250, "dag_run_id": "é" * 250, "task_id": "鍵" * 250}

    answer = client.post(entries(**names), json={"key": key, "value": "v"})

    assert answer.status_code == status
    if status == 400:
        size = 1750 + len(key.encode())
        assert error_detail(answer, 400) == (
            f"dag_id, dag_run_id, task_id and key are {size} bytes together; the maximum is 2600"
        )


def test_rejected_entry_registers_no_parents(client: FlaskClient) -> None:
    create(client, execution_date="1999-01-01T00:00:00Z")
    answer = client.post(entries(dag_run_id=RUN, task_id="other"), json={"key": "k", "value": "v"})

    assert answer.get_json()["execution_date"] == RUN_DATE
