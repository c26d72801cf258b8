"""Lists of DAG runs: filters, patterns, sort orders, pages and cursors, as in Airflow 3.3.2."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.auth.passwords import hash_password
from xcom_server.auth.users import Role, User, write

from tests.support.databases import load
from tests.support.v2_calls import error_detail, runs

BATCH = f"{runs('~')}/list"
RUNS: list[dict[str, Any]] = [
    {"run_id": "a", "state": "queued", "run_after": "2024-01-01T00:00:00Z", "conf": {"k": "V"}},
    {
        "run_id": "b",
        "state": "running",
        "run_after": "2024-01-02T00:00:00Z",
        "start_date": "2024-01-02T00:00:01Z",
    },
    {
        "run_id": "c",
        "state": "success",
        "run_type": "scheduled",
        "run_after": "2024-01-03T00:00:00Z",
        "start_date": "2024-01-03T00:00:01Z",
        "end_date": "2024-01-03T00:01:01Z",
        "duration": 60,
        "triggering_user_name": "Admin",
    },
]


@pytest.fixture
def listing(client: FlaskClient, database_url: str) -> Callable[..., list[str]]:
    rows = [{"dag_id": "etl", **each} for each in RUNS]
    other = {"dag_id": "zoo", "run_id": "z", "state": "queued", "run_after": "2024-01-04T00:00:00Z"}
    load(database_url, json.dumps({"dag_runs": [*rows, other]}))

    def ids(query: str = "", dag_id: str = "etl") -> list[str]:
        listed = client.get(runs(dag_id) + query).get_json()
        return [each["dag_run_id"] for each in listed["dag_runs"]]

    return ids


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", "abc"),
        ("?limit=0", ""),
        ("?limit=2&limit=1", "a"),
        ("?limit=2&offset=1", "bc"),
        ("?state=queued&state=success", "ac"),
        ("?state=none", ""),
        ("?run_type=scheduled", "c"),
        ("?dag_version=1", "abc"),
        ("?dag_version=2", ""),
        ("?bundle_version=x", ""),
        ("?partition_key_pattern=x", ""),
        ("?consuming_asset_pattern=x", ""),
        ("?run_id_pattern=A%7Cb", "ab"),
        ("?run_id_prefix_pattern=A", ""),
        ("?dag_id_pattern=TL", "abc"),
        ("?triggering_user_name_pattern=adm", "c"),
        ("?conf_contains=%22k%22", "a"),
        ("?run_after_gt=2024-01-01T00:00:00Z&run_after_lte=2024-01-02T01:00:00%2B01:00", "b"),
        ("?start_date_gte=2024-01-03T00:00:00Z", "ac"),
        ("?start_date_gte=2999-01-01T00:00:00Z", ""),
        ("?start_date_lte=2024-01-03T00:00:00Z", "b"),
        ("?start_date_lt=2999-01-03T00:00:00Z", "abc"),
        ("?end_date_gt=2024-01-04T00:00:00Z", "ab"),
        ("?duration_gte=60", "c"),
        ("?duration_lt=60", ""),
        ("?order_by=-run_after", "cba"),
        ("?order_by=-partition_date", "cba"),
        ("?order_by=duration&order_by=-run_id", "bac"),
        ("?order_by=-dag_run_id&limit=1", "c"),
        ("?order_by=--id", "cba"),
        ("?execution_date_gte=2999-01-01T00:00:00Z", "abc"),
    ],
)
def test_parameters_select_and_sort(
    listing: Callable[..., list[str]], query: str, ids: str
) -> None:
    assert "".join(listing(query)) == ids


def test_tilde_lists_the_runs_of_all_dags(listing: Callable[..., list[str]]) -> None:
    assert listing("?order_by=-id", "~") == ["z", "c", "b", "a"]


@pytest.mark.parametrize(
    ("body", "ids"),
    [
        ({}, "abcz"),
        ({"dag_ids": [], "page_limit": 1}, "a"),
        ({"dag_ids": ["zoo", "nope"]}, "z"),
        ({"states": ["queued", "running"]}, "abz"),
        ({"states": [None]}, ""),
        ({"order_by": "-run_after", "page_offset": 1, "page_limit": 2}, "cb"),
        ({"run_after_gte": "2024-01-03T00:00:00Z"}, "cz"),
        ({"start_date_gte": "2024-01-03T00:00:00Z"}, "c"),
        ({"duration_lte": 60}, "c"),
        ({"conf_contains": "v"}, "a"),
    ],
)
def test_batch_list_selects_and_sorts(
    client: FlaskClient, listing: Callable[..., list[str]], body: dict[str, Any], ids: str
) -> None:
    listed = client.post(BATCH, json=body).get_json()

    assert "".join(each["dag_run_id"] for each in listed["dag_runs"]) == ids
    assert {name for name, each in listed.items() if each is None} == {
        "total_entries_limit",
        "next_cursor",
        "previous_cursor",
    }


def test_total_counts_the_runs_of_all_pages(
    client: FlaskClient, listing: Callable[..., list[str]]
) -> None:
    assert client.get(f"{runs()}?limit=1").get_json()["total_entries"] == 3
    assert client.post(BATCH, json={"page_limit": 0}).get_json()["total_entries"] == 4


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "?order_by=external_trigger",
            "Ordering with 'external_trigger' is disallowed or the attribute does not exist on the"
            " model",
        ),
        ("?cursor=xyz", "Invalid cursor token"),
        ("?cursor=~", "Invalid cursor token"),
        ("?cursor=kQ", "Invalid cursor token"),
        (
            "?partition_date_gte=2024-01-01",
            "Dag with dag_id: 'etl' is not partitioned; partition_date_gte and partition_date_lte"
            " are not supported.",
        ),
    ],
)
def test_invalid_parameter_is_a_400(
    client: FlaskClient, listing: Callable[..., list[str]], query: str, detail: str
) -> None:
    assert error_detail(client.get(runs() + query), 400) == detail
    assert error_detail(client.get(runs("nope") + query), 404) == (
        "The Dag with ID: `nope` was not found"
    )


def test_partition_dates_require_a_dag(client: FlaskClient) -> None:
    assert error_detail(client.get(f"{runs('~')}?partition_date_lte=2024-01-01"), 400) == (
        "partition_date_gte and partition_date_lte require a specific dag_id."
    )


@pytest.mark.parametrize("count", [5, 130, 300])
def test_cursors_lead_through_all_pages(client: FlaskClient, database_url: str, count: int) -> None:
    names = [f"r{number:03}" for number in range(count)]
    load(
        database_url,
        json.dumps({"dag_runs": [{"dag_id": "etl", "run_id": name} for name in names]}),
    )
    size = count // 2 - 1
    forward: list[str] = []
    backward: list[str] = []
    cursor, last = "", ""
    while cursor is not None:
        page = client.get(runs(), query_string={"limit": size, "cursor": cursor}).get_json()
        forward += [each["dag_run_id"] for each in page["dag_runs"]]
        last, cursor = cursor, page["next_cursor"]
    cursor = page["previous_cursor"]
    while cursor is not None:
        page = client.get(runs(), query_string={"limit": size, "cursor": cursor}).get_json()
        backward = [each["dag_run_id"] for each in page["dag_runs"]] + backward
        cursor = page["previous_cursor"]

    assert last
    assert forward == names
    assert backward == names[: len(backward)]
    assert (page["total_entries"], page["total_entries_limit"]) == (count, 50_000)


def test_user_sees_only_runs_of_permitted_dags(
    make_client: Callable[..., FlaskClient], database_url: str, tmp_path: Path
) -> None:
    rows = [{"dag_id": name, "run_id": name} for name in ("etl", "zoo")]
    load(database_url, json.dumps({"dag_runs": rows}))
    users_file = tmp_path / "limited.json"
    user = User("ann", Role.USER, hash_password("secret-password"), frozenset({"zoo"}))
    write(users_file, {"ann": user})
    client = make_client(auth="users", users_file=str(users_file))
    answer = client.post("/auth/token", json={"username": "ann", "password": "secret-password"})
    headers = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}

    listed = client.get(runs("~"), headers=headers).get_json()
    batch = client.post(BATCH, json={}, headers=headers).get_json()

    for each in (listed, batch):
        assert [shown["dag_id"] for shown in each["dag_runs"]] == ["zoo"]
        assert each["total_entries"] == 1
    assert client.get(runs("etl"), headers=headers).status_code == 403
