"""DAGs and tasks in v1: defaults, lists, pausing, deleting."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write

from tests.support.task_instance_seed import load
from tests.support.v1_calls import create, dag, entries, error_detail, run

DAGS = "/api/v1/dags"
SEED: dict[str, Any] = {
    "dags": [
        {
            "dag_id": "etl_daily",
            "tags": ["b", "a"],
            "schedule": "@daily",
            "start_date": "2024-01-01T00:00:00Z",
            "is_paused": True,
            "owners": ["ann", "bob"],
            "tasks": [
                {"task_id": "last", "upstream": ["first"], "priority_weight": 7},
                {"task_id": "first", "mapped": 2, "params": {"n": {"value": 1.5}}},
            ],
        },
        {"dag_id": "ETL_hourly", "tags": ["a b"], "schedule": {"seconds": 90}},
        {"dag_id": "old", "is_stale": True, "tags": ["a"]},
        {"dag_id": "report", "schedule": {"assets": {"any": ["x"]}}, "tags": ["c"]},
    ],
    "dag_runs": [
        {
            "dag_id": "report",
            "run_id": "r",
            "state": "running",
            "task_instances": [{"task_id": "t", "state": "running"}],
        }
    ],
}
ACTIVE = ["ETL_hourly", "etl_daily", "report"]


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with four DAGs."""
    return load(client, SEED)


def listed(client: FlaskClient, query: str = "") -> list[str]:
    """Return the ids in a list of DAGs, whose total must be their number."""
    answer = client.get(f"{DAGS}?{query}")
    assert answer.status_code == 200, answer.text
    ids = [each["dag_id"] for each in answer.get_json()["dags"]]
    assert answer.get_json()["total_entries"] == len(ids)
    return ids


def test_dag_of_an_entry_has_defaults(client: FlaskClient) -> None:
    create(client)

    body = client.get(dag()).get_json()

    assert body.pop("file_token")
    assert body.pop("last_parsed_time").endswith("+00:00")
    assert body == {
        "dag_display_name": "etl",
        "dag_id": "etl",
        "default_view": "grid",
        "description": None,
        "fileloc": "/opt/airflow/dags/etl.py",
        "has_import_errors": False,
        "has_task_concurrency_limits": False,
        "is_active": True,
        "is_paused": False,
        "is_subdag": False,
        "last_expired": None,
        "last_pickled": None,
        "max_active_runs": 16,
        "max_active_tasks": 16,
        "max_consecutive_failed_dag_runs": 0,
        "next_dagrun": None,
        "next_dagrun_create_after": None,
        "next_dagrun_data_interval_end": None,
        "next_dagrun_data_interval_start": None,
        "owners": ["airflow"],
        "pickle_id": None,
        "root_dag_id": None,
        "schedule_interval": None,
        "scheduler_lock": None,
        "tags": [],
        "timetable_description": "Never, external triggers only",
    }


def test_details_of_a_dag_have_defaults(client: FlaskClient) -> None:
    create(client)
    summary = client.get(dag()).get_json()

    details = client.get(f"{dag()}/details").get_json()

    assert [*details] == sorted(details)
    added = {name: details[name] for name in details if name not in summary}
    assert added.pop("last_parsed") == summary["last_parsed_time"]
    assert added == {
        "catchup": False,
        "concurrency": 16,
        "dag_run_timeout": None,
        "dataset_expression": None,
        "doc_md": None,
        "end_date": None,
        "is_paused_upon_creation": None,
        "orientation": "LR",
        "params": {},
        "render_template_as_native_obj": False,
        "start_date": None,
        "template_searchpath": None,
        "timezone": "UTC",
    }
    assert details["owners"] == []


def test_task_of_an_entry_has_defaults(client: FlaskClient) -> None:
    create(client)

    tasks = client.get(f"{dag()}/tasks").get_json()

    assert tasks == {"tasks": [client.get(f"{dag()}/tasks/extract").get_json()], "total_entries": 1}
    assert tasks["tasks"][0] == {
        "class_ref": {"class_name": "EmptyOperator", "module_path": "airflow.operators.empty"},
        "depends_on_past": False,
        "doc_md": None,
        "downstream_task_ids": [],
        "end_date": None,
        "execution_timeout": None,
        "extra_links": [],
        "is_mapped": False,
        "operator_name": "EmptyOperator",
        "owner": "airflow",
        "params": {},
        "pool": "default_pool",
        "pool_slots": 1.0,
        "priority_weight": 1.0,
        "queue": "default",
        "retries": 0.0,
        "retry_delay": {"__type": "TimeDelta", "days": 0, "microseconds": 0, "seconds": 300},
        "retry_exponential_backoff": False,
        "start_date": None,
        "task_display_name": "extract",
        "task_id": "extract",
        "template_fields": [],
        "trigger_rule": "all_success",
        "ui_color": "#e8f7e4",
        "ui_fgcolor": "#000",
        "wait_for_downstream": False,
        "weight_rule": "downstream",
    }


def test_tasks_follow_the_definition(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{dag('etl_daily')}/tasks")

    first, last = answer.get_json()["tasks"]
    assert (first["task_id"], first["downstream_task_ids"]) == ("first", ["last"])
    assert (first["is_mapped"], last["is_mapped"]) == (True, False)
    assert first["start_date"] == "2024-01-01T00:00:00+00:00"
    assert first["params"] == {
        "n": {
            "__class": "airflow.models.param.Param",
            "description": None,
            "schema": {},
            "value": 1.5,
        }
    }
    assert '"retries": 0.0,' in answer.text


@pytest.mark.parametrize(
    ("operator", "reference", "name", "color"),
    [
        (
            "_PythonDecoratedOperator",
            {"class_name": "_PythonDecoratedOperator", "module_path": "airflow.decorators.python"},
            "@task",
            "#ffefeb",
        ),
        (
            "BashOperator",
            {"class_name": "BashOperator", "module_path": "airflow.models.baseoperator"},
            "BashOperator",
            "#fff",
        ),
    ],
)
def test_fields_of_an_operator(
    client: FlaskClient, operator: str, reference: dict[str, str], name: str, color: str
) -> None:
    load(client, {"dags": [{"dag_id": "d", "tasks": [{"task_id": "t", "operator": operator}]}]})

    task = client.get(f"{dag('d')}/tasks/t").get_json()

    assert (task["class_ref"], task["operator_name"], task["ui_color"]) == (reference, name, color)


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("task_id", ["first", "last"]),
        ("-task_id", ["last", "first"]),
        ("priority_weight", ["first", "last"]),
        ("-priority_weight", ["last", "first"]),
        ("doc_md", ["first", "last"]),
    ],
)
def test_order_of_tasks(seeded: FlaskClient, order_by: str, expected: list[str]) -> None:
    answer = seeded.get(f"{dag('etl_daily')}/tasks?order_by={order_by}")

    assert [task["task_id"] for task in answer.get_json()["tasks"]] == expected


@pytest.mark.parametrize("order_by", ["nope", "", "class_ref", "params"])
def test_unknown_order_of_tasks_is_refused(seeded: FlaskClient, order_by: str) -> None:
    answer = seeded.get(f"{dag('etl_daily')}/tasks?order_by={order_by}")

    detail = f"'SerializedBaseOperator' object has no attribute '{order_by}'"
    assert error_detail(answer, 400) == detail


@pytest.mark.parametrize(
    ("dag_id", "schedule", "description"),
    [
        ("etl_daily", {"__type": "CronExpression", "value": "@daily"}, "At 00:00"),
        (
            "ETL_hourly",
            {"__type": "TimeDelta", "days": 0, "microseconds": 0, "seconds": 90},
            "",
        ),
        ("report", {"__type": "CronExpression", "value": "Dataset"}, "Triggered by datasets"),
        ("old", None, "Never, external triggers only"),
    ],
)
def test_schedules(
    seeded: FlaskClient, dag_id: str, schedule: dict[str, Any] | None, description: str
) -> None:
    body = seeded.get(f"{dag(dag_id)}/details").get_json()

    assert (body["schedule_interval"], body["timetable_description"]) == (schedule, description)
    assert (body["dataset_expression"] is not None) == (dag_id == "report")


def test_owners_of_a_summary_keep_the_spaces_of_airflow_2(seeded: FlaskClient) -> None:
    assert seeded.get(dag("etl_daily")).get_json()["owners"] == ["ann", " bob"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ACTIVE),
        ("only_active=false", ["ETL_hourly", "etl_daily", "old", "report"]),
        ("only_active=true", ACTIVE),
        ("paused=true", ["etl_daily"]),
        ("paused=false", ["ETL_hourly", "report"]),
        ("tags=a", ["etl_daily"]),
        ("tags=b,c", ["etl_daily", "report"]),
        ("tags=b&tags=c", ["etl_daily", "report"]),
        ("tags=a%20b", ["ETL_hourly"]),
        ("tags=", []),
        ("tags=A", []),
        ("dag_id_pattern=etl", ["ETL_hourly", "etl_daily"]),
        ("dag_id_pattern=l_d", ["etl_daily"]),
        ("dag_id_pattern=e%25y", ["ETL_hourly", "etl_daily"]),
        ("dag_id_pattern=%5C_", []),
        ("dag_id_pattern=", ACTIVE),
        ("order_by=-dag_id", [*reversed(ACTIVE)]),
        ("tags=a&paused=true&dag_id_pattern=daily", ["etl_daily"]),
    ],
)
def test_filters(seeded: FlaskClient, query: str, expected: list[str]) -> None:
    assert listed(seeded, query) == expected


def test_page(seeded: FlaskClient) -> None:
    body = seeded.get(f"{DAGS}?limit=1&offset=1&fields=dag_id").get_json()

    assert body == {"dags": [{"dag_id": "etl_daily"}], "total_entries": 3}


@pytest.mark.parametrize(
    ("query", "title", "detail"),
    [
        ("limit=-1", "Page limit must be a positive integer", None),
        (
            "order_by=is_paused",
            "Bad Request",
            "Ordering with 'is_paused' is disallowed or the attribute does not exist on the model",
        ),
        (
            "fields=dag_id,nope,other",
            "DAGCollectionSchema error",
            "Invalid fields for <DAGSchema(many=False)>: OrderedSet(['nope', 'other']).",
        ),
        (
            "fields=",
            "DAGCollectionSchema error",
            "Invalid fields for <DAGSchema(many=False)>: OrderedSet(['']).",
        ),
    ],
)
def test_invalid_list_is_refused(
    seeded: FlaskClient, query: str, title: str, detail: str | None
) -> None:
    assert error_detail(seeded.get(f"{DAGS}?{query}"), 400, title) == detail


@pytest.mark.parametrize(
    ("path", "schema"),
    [(dag("etl_daily"), "DAGSchema"), (f"{dag('etl_daily')}/details", "DAGDetailSchema")],
)
def test_fields(seeded: FlaskClient, path: str, schema: str) -> None:
    answer = seeded.get(f"{path}?fields=is_paused,dag_id")
    refused = seeded.get(f"{path}?fields=nope")

    assert answer.get_json() == {"dag_id": "etl_daily", "is_paused": True}
    assert error_detail(refused, 400, f"{schema} init error") == (
        f"Invalid fields for <{schema}(many=False)>: OrderedSet(['nope'])."
    )


@pytest.mark.parametrize("dag_id", ["nope", "~"])
def test_unknown_dag_is_a_404(seeded: FlaskClient, dag_id: str) -> None:
    path = dag(dag_id)
    detail = f"The DAG with dag_id: {dag_id} was not found"

    assert error_detail(seeded.get(path), 404, "DAG not found") == detail
    assert error_detail(seeded.get(f"{path}/details"), 404, "DAG not found") == detail
    assert error_detail(seeded.get(f"{path}/tasks"), 404, "DAG not found") is None
    assert error_detail(seeded.get(f"{path}/tasks/t"), 404, "DAG not found") is None
    title = f"Dag with id: '{dag_id}' not found"
    assert error_detail(seeded.patch(path, json={"is_paused": True}), 404, title) is None
    assert error_detail(seeded.delete(path), 404, title) is None


def test_unknown_task_is_a_404(seeded: FlaskClient) -> None:
    answer = seeded.get(f"{dag('etl_daily')}/tasks/nope")

    assert error_detail(answer, 404, "Task not found") is None


@pytest.mark.parametrize("mask", ["", "?update_mask=is_paused"])
@pytest.mark.parametrize("is_paused", [True, False, None])
def test_dag_is_paused(seeded: FlaskClient, mask: str, is_paused: bool | None) -> None:
    answer = seeded.patch(f"{dag('old')}{mask}", json={"is_paused": is_paused})

    assert answer.get_json()["is_paused"] is is_paused
    assert seeded.get(dag("old")).get_json() == answer.get_json()


@pytest.mark.parametrize(
    ("query", "body", "detail"),
    [
        ("", {}, "'is_paused' is a required property"),
        ("?update_mask=is_paused", {}, "'is_paused' is a required property"),
        (
            "?update_mask=description",
            {"is_paused": True},
            "Only `is_paused` field can be updated through the REST API",
        ),
        (
            "?update_mask=",
            {"is_paused": True},
            "Only `is_paused` field can be updated through the REST API",
        ),
        ("", {"is_paused": "true"}, "'true' is not of type 'boolean' - 'is_paused'"),
        ("", {"is_paused": True, "dag_id": "x"}, "Property is read-only - 'dag_id'"),
        ("", {"is_paused": True, "foo": 1}, "{'foo': ['Unknown field.']}"),
    ],
)
@pytest.mark.parametrize("path", [dag("etl_daily"), dag("nope")])
def test_invalid_change_is_refused_before_the_dag_is_looked_up(
    seeded: FlaskClient, path: str, query: str, body: dict[str, Any], detail: str
) -> None:
    assert error_detail(seeded.patch(f"{path}{query}", json=body), 400) == detail
    assert listed(seeded, "paused=true") == ["etl_daily"]


@pytest.mark.parametrize(
    ("query", "changed", "total"),
    [
        ("dag_id_pattern=ETL", ["ETL_hourly", "etl_daily"], 2),
        ("dag_id_pattern=~", ACTIVE, 3),
        ("dag_id_pattern=~&limit=2", ACTIVE[:2], 3),
        ("dag_id_pattern=~&limit=2&offset=2", ACTIVE[2:], 3),
        ("dag_id_pattern=~&only_active=false", ["ETL_hourly", "etl_daily", "old", "report"], 4),
        ("dag_id_pattern=~&tags=c", ["report"], 1),
        ("dag_id_pattern=nope", [], 0),
    ],
)
def test_several_dags_are_paused(
    seeded: FlaskClient, query: str, changed: list[str], total: int
) -> None:
    seeded.patch(dag("etl_daily"), json={"is_paused": False})

    body = seeded.patch(f"{DAGS}?{query}", json={"is_paused": True}).get_json()

    assert ([each["dag_id"] for each in body["dags"]], body["total_entries"]) == (changed, total)
    assert {each["is_paused"] for each in body["dags"]} <= {True}
    assert listed(seeded, "paused=true&only_active=false") == changed


def test_change_of_several_dags_needs_a_pattern(seeded: FlaskClient) -> None:
    answer = seeded.patch(DAGS, json={"is_paused": True})

    assert error_detail(answer, 400) == "Missing query parameter 'dag_id_pattern'"


def test_dag_is_deleted_with_its_entries(client: FlaskClient) -> None:
    create(client)

    answer = client.delete(dag())

    assert (answer.status_code, answer.data) == (204, b"")
    assert client.get(dag()).status_code == 404
    assert client.get(run()).status_code == 404
    assert client.get(entries("~", "~", "~")).get_json()["total_entries"] == 0


def test_dag_with_a_running_task_instance_is_not_deleted(seeded: FlaskClient) -> None:
    detail = "Task instances of dag with id: 'report' are still running"

    assert error_detail(seeded.delete(dag("report")), 409, "Conflict") == detail
    assert seeded.get(dag("report")).status_code == 200


def test_user_sees_and_changes_only_their_dags(
    make_client: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    user = User("ann", Role.USER, hash_password("ann"), frozenset({"report"}))
    write(tmp_path / "users.json", {"ann": user})
    client = load(make_client(auth="users", users_file=str(tmp_path / "users.json")), SEED)
    client.environ_base["HTTP_AUTHORIZATION"] = "Basic YW5uOmFubg=="

    body = client.patch(f"{DAGS}?dag_id_pattern=~", json={"is_paused": True}).get_json()

    assert ([each["dag_id"] for each in body["dags"]], body["total_entries"]) == (["report"], 1)
    assert listed(client) == ["report"]
    for path in ("", "/details", "/tasks", "/tasks/first"):
        assert client.get(dag("etl_daily") + path).status_code == 403
    assert client.delete(dag("etl_daily")).status_code == 403
