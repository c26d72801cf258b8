"""Task instances in v1: reading and listing them, and their tries."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write

from tests.support.task_instance_seed import listed, load
from tests.support.v1_calls import error_detail, instances

ALL = ["one/extract", "one/load", "one/mapped/0", "one/mapped/1", "two/extract", "two/load"]
BATCH = "/api/v1/dags/~/dagRuns/~/taskInstances/list"
ONE = instances(dag_run_id="one")


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with seven task instances."""
    return load(client)


def names(client: FlaskClient, query: str = "", path: str = instances("etl", "~")) -> list[str]:
    """Return the task instances in a list, whose total must be their number."""
    answer = client.get(f"{path}?{query}")
    assert answer.status_code == 200, answer.text
    found = listed(answer.get_json())
    assert answer.get_json()["total_entries"] == len(found)
    return found


def test_task_instance_has_all_fields(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{ONE}/extract")

    assert answer.get_json() == {
        "dag_id": "etl",
        "dag_run_id": "one",
        "duration": 2.5,
        "end_date": "2024-01-01T00:00:03.500000+00:00",
        "execution_date": "2024-01-01T00:00:00+00:00",
        "executor": None,
        "executor_config": "{}",
        "hostname": "worker-2",
        "map_index": -1,
        "max_tries": 2,
        "note": None,
        "operator": "EmptyOperator",
        "pid": None,
        "pool": "default_pool",
        "pool_slots": 1,
        "priority_weight": 3,
        "queue": "heavy",
        "queued_when": None,
        "rendered_fields": {"env": None, "sql": "SELECT 1"},
        "rendered_map_index": None,
        "sla_miss": None,
        "start_date": "2024-01-01T00:00:01+00:00",
        "state": "success",
        "task_display_name": "extract",
        "task_id": "extract",
        "trigger": None,
        "triggerer_job": None,
        "try_number": 2,
        "unixname": "airflow",
    }
    assert list(answer.get_json()) == sorted(answer.get_json())
    assert answer.text.startswith('{\n  "dag_id": "etl",\n')
    assert answer.text.endswith("}\n")


def test_short_duration_has_the_exponent_of_python(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{ONE}/mapped/1")

    assert '"duration": 1e-05,' in answer.text
    assert answer.get_json()["rendered_map_index"] is None


def test_fields_that_only_airflow_3_has_are_adapted(client: FlaskClient) -> None:
    job = {"id": 2, "state": "success", "dag_display_name": None}
    trigger = {"id": 1, "classpath": "a.B", "kwargs": "{}", "queue": None, "triggerer_id": 2}
    row = {
        "task_id": "t",
        "state": "awaiting_input",
        "trigger": trigger,
        "triggerer_job": job,
        "rendered_map_index": "label",
    }
    load(client, {"dag_runs": [{"dag_id": "etl", "run_id": "r", "task_instances": [row]}]})

    body = client.get(f"{instances(dag_run_id='r')}/t").get_json()

    assert (body["state"], body["rendered_map_index"]) == ("deferred", "label")
    assert body["trigger"] == {"id": 1, "classpath": "a.B", "kwargs": "{}", "triggerer_id": 2}
    assert body["triggerer_job"] == {"id": 2, "state": "success"}
    assert (body["rendered_fields"], body["sla_miss"]) == ({}, None)


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (f"{ONE}/nope", None),
        (f"{ONE}/~", None),
        (f"{ONE}/mapped", "Task instance is mapped, add the map_index value to the URL"),
        (f"{ONE}/mapped/2", None),
        (f"{ONE}/extract/0", None),
        (f"{instances(dag_run_id='nope')}/extract", None),
        (f"{instances('nope', 'one')}/extract", None),
        (f"{instances('~', '~')}/extract", None),
    ],
)
def test_unknown_task_instance_is_a_404(seeded: FlaskClient, path: str, detail: str | None) -> None:
    assert error_detail(seeded.get(path), 404, "Task instance not found") == detail


def test_list_has_the_order_of_creation(seeded: FlaskClient) -> None:
    assert names(seeded) == ALL
    assert names(seeded, path=instances("~", "~")) == [*ALL, "one/only"]
    assert names(seeded, path=instances("~", "one")) == [*ALL[:4], "one/only"]
    assert names(seeded, path=ONE) == ALL[:4]
    assert names(seeded, path=instances("nope", "~")) == []


def test_list_without_details_has_the_same_form(seeded: FlaskClient) -> None:
    """Two functions write lists; the faster one writes those without details."""
    plain = seeded.get(f"{instances('other', 'one')}").get_json()["task_instances"][0]
    full = seeded.get(f"{ONE}").get_json()["task_instances"][0]

    assert [*plain] == [*full]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("state=success", ["one/extract"]),
        ("state=success,failed", ["one/extract", "one/mapped/1"]),
        ("state=success&state=failed", ["one/extract", "one/mapped/1"]),
        ("state=none", ["one/load"]),
        ("state=none,running", ["one/load", "two/extract"]),
        ("state=skipped", []),
        ("pool=small", ["one/load"]),
        ("pool=small,default_pool&queue=heavy", ["one/extract"]),
        ("executor=LocalExecutor", ["two/extract"]),
        ("duration_gte=2.5", ["one/extract"]),
        ("duration_lte=2", ["one/mapped/1"]),
        ("start_date_gte=2024-01-02T00:00:01Z", ["two/extract"]),
        ("start_date_gte=2024-01-01T00:00:01Z&start_date_lte=2024-01-01T00:00:02Z", ALL[:1]),
        ("start_date_lte=2024-01-01T00:00:00Z", ["one/mapped/1"]),
        ("end_date_gte=2024-01-01T00:00:01Z", ["one/extract"]),
        ("execution_date_gte=2024-01-01T12:00:00Z", ["two/extract", "two/load"]),
        ("execution_date_lte=2024-01-01T00:00:00Z", ALL[:4]),
    ],
)
def test_filters(seeded: FlaskClient, query: str, expected: list[str]) -> None:
    assert names(seeded, query) == expected


@pytest.mark.parametrize("state", ["nope", "", "SUCCESS", "null", "success,nope"])
def test_unknown_state_is_refused(seeded: FlaskClient, state: str) -> None:
    detail = error_detail(seeded.get(f"{ONE}?state={state}"), 400)

    assert detail
    assert detail.startswith(f"{state.split(',')[-1]!r} is not one of ['none', 'removed',")


def test_state_names_of_airflow_3_are_not_filters(seeded: FlaskClient) -> None:
    error_detail(seeded.get(f"{ONE}?state=awaiting_input"), 400)


@pytest.mark.parametrize(
    ("query", "count"),
    [("", 6), ("limit=2", 2), ("limit=0", 0), ("limit=-1", 6), (f"limit={10**30}", 6)],
)
def test_page_has_any_size(seeded: FlaskClient, query: str, count: int) -> None:
    body = seeded.get(f"{instances('etl', '~')}?{query}").get_json()

    assert (len(body["task_instances"]), body["total_entries"]) == (count, 6)


def test_page_can_be_longer_than_100(client: FlaskClient) -> None:
    rows = [{"task_id": "t", "map_index": index} for index in range(150)]
    load(client, {"dag_runs": [{"dag_id": "etl", "run_id": "r", "task_instances": rows}]})

    assert len(client.get(instances(dag_run_id="r")).get_json()["task_instances"]) == 100
    assert len(names(client, "limit=150", instances(dag_run_id="r"))) == 150


def test_offset_skips_task_instances(seeded: FlaskClient) -> None:
    body = seeded.get(f"{instances('etl', '~')}?limit=2&offset=3").get_json()

    assert (listed(body), body["total_entries"]) == (ALL[3:5], 6)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("order_by=state", "Extra query parameter(s) order_by not in spec"),
        ("fields=task_id", "Extra query parameter(s) fields not in spec"),
    ],
)
def test_list_has_no_such_parameter(seeded: FlaskClient, query: str, detail: str) -> None:
    assert error_detail(seeded.get(f"{ONE}?{query}"), 400, None) == detail


@pytest.mark.parametrize(
    ("query", "indexes"),
    [
        ("", [0, 1]),
        ("order_by=-map_index", [1, 0]),
        ("order_by=state", [1, 0]),
        ("order_by=-state", [0, 1]),
        ("order_by=start_date", [0, 1]),
        ("order_by=-duration", [1, 0]),
        ("state=failed", [1]),
        ("duration_gte=1", []),
    ],
)
def test_mapped_task_instances(seeded: FlaskClient, query: str, indexes: list[int]) -> None:
    assert names(seeded, query, f"{ONE}/mapped/listMapped") == [
        f"one/mapped/{index}" for index in indexes
    ]


def test_page_of_mapped_task_instances(seeded: FlaskClient) -> None:
    body = seeded.get(f"{ONE}/mapped/listMapped?limit=1&offset=1").get_json()

    assert (listed(body), body["total_entries"]) == (["one/mapped/1"], 2)


@pytest.mark.parametrize("order_by", ["nope", "map_index", "-nope", ""])
def test_unknown_order_of_mapped_task_instances_is_refused(
    seeded: FlaskClient, order_by: str
) -> None:
    answer = seeded.get(f"{ONE}/mapped/listMapped?order_by={order_by}")

    assert error_detail(answer, 400) == f"Ordering with '{order_by}' is not supported"


@pytest.mark.parametrize(
    ("path", "title"),
    [
        (f"{ONE}/extract/listMapped", "Task id extract is not mapped"),
        (f"{ONE}/nope/listMapped", "Task id nope not found"),
        (f"{instances('nope', 'one')}/t/listMapped", "DAG nope not found"),
        (f"{instances('~', 'one')}/t/listMapped", "DAG ~ not found"),
        (f"{instances('other', 'one')}/only/listMapped", "Task id only is not mapped"),
        (f"{instances('other', 'one')}/nope/listMapped", "Task id nope not found"),
    ],
)
def test_task_that_is_not_mapped_is_a_404(seeded: FlaskClient, path: str, title: str) -> None:
    assert error_detail(seeded.get(path), 404, title) is None


@pytest.mark.parametrize(
    "path",
    [f"{ONE}/expanded/listMapped", f"{instances(dag_run_id='nope')}/mapped/listMapped"],
)
def test_mapped_task_without_instances_is_an_empty_list(seeded: FlaskClient, path: str) -> None:
    assert names(seeded, path=path) == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({}, [*ALL, "one/only"]),
        ({"dag_ids": []}, [*ALL, "one/only"]),
        ({"dag_ids": ["other", "nope"]}, ["one/only"]),
        ({"dag_run_ids": ["two"]}, ALL[4:]),
        ({"task_ids": ["load"], "dag_ids": ["etl"]}, ["one/load", "two/load"]),
        ({"state": ["failed", "none"]}, ["one/load", "one/mapped/1"]),
        ({"state": [None]}, ["one/load"]),
        ({"pool": ["small"]}, ["one/load"]),
        ({"queue": ["heavy"]}, ["one/extract"]),
        ({"executor": ["LocalExecutor"]}, ["two/extract"]),
        ({"duration_gte": 1, "duration_lte": 3}, ["one/extract"]),
        ({"execution_date_gte": "2024-01-03T00:00:00Z"}, ["one/only"]),
        ({"dag_ids": ["etl"], "start_date_gte": "2024-01-02T00:00:01+00:00"}, ["two/extract"]),
        ({"end_date_lte": "2024-01-01T00:00:01Z"}, ["one/mapped/1"]),
    ],
)
def test_batch_filters(seeded: FlaskClient, body: dict[str, Any], expected: list[str]) -> None:
    answer = seeded.post(BATCH, json=body)

    assert (listed(answer.get_json()), answer.get_json()["total_entries"]) == (
        expected,
        len(expected),
    )


def test_page_of_a_batch(seeded: FlaskClient) -> None:
    answer = seeded.post(BATCH, json={"page_limit": 2, "page_offset": 5}).get_json()

    assert (listed(answer), answer["total_entries"]) == ([ALL[5], "one/only"], 7)


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"order_by": "state"}, "{'order_by': ['Unknown field.']}"),
        ({"page_limit": 0}, "0 is less than the minimum of 1 - 'page_limit'"),
        ({"start_date_gte": "x"}, "'x' is not a 'date-time' - 'start_date_gte'"),
        ({"dag_ids": "etl"}, "'etl' is not of type 'array' - 'dag_ids'"),
    ],
)
def test_invalid_batch_is_refused(seeded: FlaskClient, body: dict[str, Any], detail: str) -> None:
    assert error_detail(seeded.post(BATCH, json=body), 400) == detail


def test_tries(seeded: FlaskClient) -> None:
    body = seeded.get(f"{ONE}/extract/tries").get_json()

    first, second = body["task_instances"]
    assert body["total_entries"] == 2
    assert (first["try_number"], first["state"], first["hostname"]) == (1, "failed", "worker-1")
    assert (first["start_date"], first["end_date"]) == ("2024-01-01T00:00:00+00:00", None)
    assert (second["try_number"], second["state"], second["duration"]) == (2, "success", 2.5)
    assert first["queue"] == "heavy"
    assert "note" not in first
    assert seeded.get(f"{ONE}/extract/tries/1").get_json() == first
    assert seeded.get(f"{ONE}/extract/tries/2").get_json() == second


@pytest.mark.parametrize(
    "path", [f"{ONE}/nope/tries", f"{ONE}/mapped/tries", f"{ONE}/load/5/tries"]
)
def test_unknown_task_instance_has_no_tries(seeded: FlaskClient, path: str) -> None:
    assert names(seeded, path=path) == []


def test_tries_of_a_mapped_task_instance(seeded: FlaskClient) -> None:
    assert names(seeded, path=f"{ONE}/mapped/1/tries") == ["one/mapped/1"]
    assert seeded.get(f"{ONE}/mapped/1/tries/1").get_json()["map_index"] == 1


def test_unknown_try_is_a_404(seeded: FlaskClient) -> None:
    detail = error_detail(seeded.get(f"{ONE}/extract/tries/9"), 404, "Task instance not found")

    assert detail == (
        "Task Instance not found for dag_id=etl, run_id=one, task_id=extract, map_index=-1,"
        " try_number=9."
    )


def test_user_sees_only_task_instances_of_their_dags(
    make_client: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    user = User("ann", Role.VIEWER, hash_password("ann"), frozenset({"other"}))
    write(tmp_path / "users.json", {"ann": user})
    client = load(make_client(auth="users", users_file=str(tmp_path / "users.json")))
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic YW5uOmFubg=="

    assert names(client, path=instances("~", "~")) == ["one/only"]
    batch = client.post(BATCH, json={"dag_ids": ["etl", "other"]}).get_json()
    assert (listed(batch), batch["total_entries"]) == (["one/only"], 1)
    assert client.get(ONE).status_code == 403
    assert client.get(f"{ONE}/mapped/listMapped").status_code == 403
