"""Loading DAGs, DAG runs and task instances in bulk, and exporting them."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from xcom_server.errors import SeedConflict
from xcom_server.seed_file import read
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.postgres import PostgresBackend
from xcom_server.storage.queries import Filter
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskKey

from tests.parity import neighbour_seeds
from tests.support.paths import PARITY
from tests.support.stores import MakeStore, exported_dags, exported_entries, exported_runs

DATE = datetime(2024, 1, 1, tzinfo=UTC)
DAG = {"dag_id": "etl", "tasks": [{"task_id": "a"}, {"task_id": "b", "upstream": ["a"]}]}
RUN = {"dag_id": "etl", "run_id": "r", "logical_date": "2024-01-01T00:00:00Z"}


def load(store: XComStore, **lists: Any) -> None:
    store.load(read(json.dumps(lists)))


def everything(store: XComStore) -> dict[str, Any]:
    return {
        "dags": exported_dags(store),
        "dag_runs": exported_runs(store),
        "entries": exported_entries(store),
    }


def recorded_seed(version: str) -> dict[str, Any]:
    text = (PARITY / "neighbours" / f"{version}.seed.json").read_text(encoding="utf-8")
    return neighbour_seeds.convert(json.loads(text))


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_exported_rows_can_be_loaded(make_store: MakeStore, version: str) -> None:
    seed = recorded_seed(version)
    load(make_store(), **seed)
    exported = everything(make_store())
    for run in seed["dag_runs"]:
        make_store().runs.delete(run["dag_id"], run["run_id"], even_if_running=True)
    for dag in seed["dags"]:
        make_store().dags.delete(dag["dag_id"])
    assert everything(make_store()) == {"dags": [], "dag_runs": [], "entries": []}

    for _ in range(2):
        load(make_store(), **exported)
        assert everything(make_store()) == exported


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_exported_rows_have_the_given_fields(make_store: MakeStore, version: str) -> None:
    seed = recorded_seed(version)
    load(make_store(), **seed)
    exported = everything(make_store())

    for dag, found in zip(
        sorted(seed["dags"], key=lambda dag: str(dag["dag_id"])), exported["dags"], strict=True
    ):
        assert {**DAG_DEFAULTS, **found}.items() >= without(dag, "tasks", "params").items()
    for run, found in zip(seed["dag_runs"], exported["dag_runs"], strict=True):
        assert found["run_id"] == run["run_id"]
        for each, other in zip(run["task_instances"], found["task_instances"], strict=True):
            assert (other["task_id"], other["map_index"]) == (each["task_id"], each["map_index"])
            assert other.get("log") == each.get("log")
            assert other.get("rendered_fields") == each["rendered_fields"]


DAG_DEFAULTS = {
    "is_paused": False,
    "is_stale": False,
    "owners": ["airflow"],
    "tags": [],
    "next_dagrun": None,
}


def without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    """Return the fields of a row that an export does not write in another form."""
    dates = [name for name in row if "_dagrun" in name or name.endswith(("_date", "_time", "_at"))]
    return {name: row[name] for name in row if name not in (*names, *dates)}


def test_order_of_the_file_is_the_order_of_insertion(make_store: MakeStore) -> None:
    instances = [{"task_id": name} for name in ("b", "c", "a")]
    runs = [{**RUN, "run_id": name, "task_instances": instances} for name in ("z", "y", "x")]
    load(make_store(), dag_runs=runs)

    page = make_store().runs.list(Filter.of("etl"), limit=9)
    assert [run.run_id for run in page.entries] == ["z", "y", "x"]
    listed = make_store().task_instances.list(Filter.of("etl", "y"), limit=9)
    assert [each.task_id for each in listed.entries] == ["b", "c", "a"]


def test_fields_of_a_row_replace_stored_ones_and_others_are_kept(make_store: MakeStore) -> None:
    instance = {"task_id": "a", "pool": "small", "note": "n"}
    run = {**RUN, "note": "n", "conf": {"a": 1}, "task_instances": [instance]}
    load(make_store(), dags=[{**DAG, "is_paused": True, "doc_md": "d"}], dag_runs=[run])

    changed = {**RUN, "note": "m", "task_instances": [{"task_id": "a", "pool": "big"}]}
    load(
        make_store(),
        dags=[{"dag_id": "etl", "owners": ["ann"], "catchup": True}],
        dag_runs=[changed],
    )

    found = make_store().runs.peek("etl", "r")
    assert (found.note, found.conf) == ("m", '{"a": 1}')
    each = make_store().task_instances.get(TaskKey("etl", "r", "a"))
    assert (each.pool, each.note) == ("big", "n")
    dag = make_store().dags.get("etl")
    assert (dag.is_paused, dag.owner_names) == (True, ["ann"])
    assert {**json.loads(dag.definition), "tasks": 0} == {
        "tasks": 0,
        "doc_md": "d",
        "catchup": True,
    }


def test_rows_of_one_file_for_the_same_run_are_merged(make_store: MakeStore) -> None:
    first = {**RUN, "note": "n", "task_instances": [{"task_id": "a", "state": "failed"}]}
    second = {**RUN, "conf": {"a": 1}, "task_instances": [{"task_id": "a", "note": "m"}]}
    load(make_store(), dag_runs=[first, second])

    found = make_store().runs.peek("etl", "r")
    assert (found.note, found.conf) == ("n", '{"a": 1}')
    each = make_store().task_instances.get(TaskKey("etl", "r", "a"))
    assert (each.state, each.note) == ("failed", "m")


@pytest.mark.parametrize(
    ("state", "start", "end"),
    [
        ("success", DATE, DATE),
        ("failed", DATE, DATE),
        ("running", DATE, None),
        ("queued", None, None),
    ],
)
def test_dates_of_a_new_run_follow_its_state(
    make_store: MakeStore, state: str, start: datetime | None, end: datetime | None
) -> None:
    instance = {"task_id": "a", "state": state}
    load(make_store(), dag_runs=[{**RUN, "state": state, "task_instances": [instance]}])

    run = make_store().runs.peek("etl", "r")
    assert (run.state, run.start_date, run.end_date) == (state, start, end)
    assert run.duration == (0 if end else None)
    each = make_store().task_instances.get(TaskKey("etl", "r", "a"))
    assert (each.state, each.start_date, each.end_date) == (state, start, end)
    assert each.try_number == (1 if start else 0)


def test_end_defaults_to_the_given_start(make_store: MakeStore) -> None:
    load(make_store(), dag_runs=[{**RUN, "start_date": "2024-02-01T00:00:00Z"}])

    run = make_store().runs.peek("etl", "r")
    assert run.end_date == run.start_date == datetime(2024, 2, 1, tzinfo=UTC)
    assert run.duration == 0
    (row,) = exported_runs(make_store())
    assert row["start_date"] == row["end_date"] == "2024-02-01T00:00:00+00:00"


def test_tries_and_logs_are_stored(make_store: MakeStore) -> None:
    older = {"try_number": 1, "state": "failed"}
    instance = {"task_id": "a", "try_number": 2, "tries": [older], "log": {"1": "x", "2": "y"}}
    load(make_store(), dag_runs=[{**RUN, "task_instances": [instance]}])

    key = TaskKey("etl", "r", "a")
    tries = make_store().task_instances.tries(key)
    assert [(each.try_number, each.state) for each in tries] == [(1, "failed"), (2, "success")]
    assert [make_store().task_instances.log(key, number) for number in (1, 2, 3)] == [
        "x",
        "y",
        None,
    ]


def test_numbers_of_rows_are_those_of_lists(make_store: MakeStore) -> None:
    instances = [{"task_id": name} for name in ("a", "b")]
    for _ in range(2):
        load(
            make_store(),
            dag_runs=[
                {**RUN, "task_instances": instances},
                {**RUN, "run_id": "s", "logical_date": None},
            ],
        )

    store = make_store()
    assert store.runs.list(Filter.of("etl"), limit=1).total_entries == 2
    assert store.task_instances.list(Filter.of("etl"), limit=1).total_entries == 2


def test_seeded_run_does_not_change_by_itself(make_store: MakeStore) -> None:
    load(make_store(), dags=[DAG], dag_runs=[{**RUN, "state": "queued"}])

    for _ in range(3):
        assert make_store().runs.get("etl", "r").state == "queued"


def test_dag_occurs_once_in_all_files(make_store: MakeStore) -> None:
    with pytest.raises(SeedConflict, match=r"^DAG 2: duplicate of DAG 1$"):
        load(make_store(), dags=[DAG, {"dag_id": "etl"}])

    assert exported_dags(make_store()) == []


def test_ids_that_are_too_long_together_are_rejected(make_store: MakeStore) -> None:
    long = "🙂" * 250
    run = {"dag_id": long, "run_id": long, "task_instances": [{"task_id": long}]}
    with pytest.raises(SeedConflict, match=r"^DAG run 1: .* bytes together"):
        load(make_store(), dag_runs=[run])


def test_stored_run_must_have_the_logical_date_of_its_row(make_store: MakeStore) -> None:
    load(make_store(), dag_runs=[RUN])
    with pytest.raises(SeedConflict, match=r"^DAG run 1: logical_date differs"):
        load(make_store(), dag_runs=[{**RUN, "logical_date": "2024-01-02T00:00:00Z"}])


def test_many_runs_are_stored_in_chunks(make_store: MakeStore) -> None:
    runs = [
        {
            **RUN,
            "run_id": f"r{number}",
            "logical_date": (DATE + timedelta(days=number)).isoformat(),
            "task_instances": [{"task_id": "a"}],
        }
        for number in range(2500)
    ]
    rows = read(json.dumps({"dag_runs": runs}))
    advanced: list[int] = []
    make_store().load(rows, advanced.append)

    assert advanced == [1000, 1000, 500]
    assert make_store().runs.list(Filter.of("etl"), limit=1).total_entries == 2500


def test_task_instance_has_the_fields_of_its_task(make_store: MakeStore) -> None:
    task = {"task_id": "a", "operator": "BashOperator", "pool": "small", "retries": 2}
    after = {"task_id": "b", "upstream": ["a"], "priority_weight": 3}
    instances = [{"task_id": "a"}, {"task_id": "b", "pool": "big"}, {"task_id": "c"}]
    load(
        make_store(),
        dags=[{"dag_id": "etl", "tasks": [task, after]}],
        dag_runs=[{**RUN, "task_instances": instances}],
    )

    found = make_store().task_instances.list(Filter.of("etl"), limit=9).entries
    assert [(each.operator, each.pool, each.max_tries, each.priority_weight) for each in found] == [
        ("BashOperator", "small", 2, 4),
        ("EmptyOperator", "big", 0, 3),
        (None, "default_pool", 0, 1),
    ]
    (row,) = exported_runs(make_store())
    assert [without_id(each) for each in row["task_instances"]] == [
        {"map_index": -1, **each} for each in instances
    ]


def without_id(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "id"}


def test_statistics_are_updated_while_many_runs_are_stored(
    make_store: MakeStore, backend: Backend
) -> None:
    """Otherwise PostgreSQL checks each foreign key with a plan for an empty table."""
    runs = [{**RUN, "run_id": f"r{number}", "logical_date": None} for number in range(1500)]
    load(make_store(), dag_runs=runs)

    if isinstance(backend, PostgresBackend):
        with backend.engine.connect() as connection:
            count = connection.execute(
                text("SELECT reltuples FROM pg_class WHERE relname='dag_run'")
            )
            assert count.scalar() == 1500
