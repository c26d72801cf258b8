"""The fields of DAGs and tasks: those of the DAGs that were recorded, and the defaults."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic_core import to_jsonable_python
from xcom_server import seed_file
from xcom_server.api.definitions import Definition
from xcom_server.api.v2.schemas_dags import dump_dag, dump_details, dump_task
from xcom_server.storage.dags import Dag, SeedDag

from tests.parity import neighbour_seeds
from tests.support.paths import ROOT

RECORDED = json.loads(
    (ROOT / "tests" / "parity" / "neighbours" / "v2.seed.json").read_text(encoding="utf-8")
)
CREATED = datetime(2024, 1, 2, tzinfo=UTC)
EMPTY = Dag("new", False, False, None, "airflow", "", None, "{}", "an id", CREATED)


def definitions() -> dict[str, Definition]:
    """Return the definitions of the recorded DAGs by id."""
    rows = seed_file.read(json.dumps(neighbour_seeds.convert(RECORDED)))
    return {row.dag_id: _definition(row) for row in rows if isinstance(row, SeedDag)}


def _definition(row: SeedDag) -> Definition:
    text = json.dumps(row.definition)
    return Definition(EMPTY._replace(dag_id=row.dag_id, definition=text, **row.fields))


@pytest.mark.parametrize("dag", RECORDED["dags"], ids=lambda dag: str(dag["dag_id"]))
def test_a_recorded_dag_has_the_same_fields(dag: dict[str, Any]) -> None:
    definition = definitions()[dag["dag_id"]]
    different = ("file_token", "last_parsed")

    assert _dumped(dump_dag(definition), different) == _without(dag["api"], different)
    found = dump_details(definition, dag["details"]["active_runs_count"])
    assert _dumped(found, different) == _without(dag["details"], different)
    assert [_dumped(dump_task(task)) for task in definition.tasks] == [
        list(task.items()) for task in dag["tasks"]
    ]


def _dumped(fields: dict[str, Any], different: tuple[str, ...] = ()) -> list[Any]:
    return _without(to_jsonable_python(fields), different)


def _without(fields: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    return [(name, None if name in names else value) for name, value in fields.items()]


def test_a_dag_without_a_definition_has_defaults() -> None:
    fields = dump_details(Definition(EMPTY), 0)

    assert fields["fileloc"] == "/opt/airflow/dags/new.py"
    assert fields["last_parsed_time"] == CREATED
    assert fields["timetable_description"] == "Never, external triggers only"
    assert fields["max_active_tasks"] == fields["concurrency"] == 16
    assert fields["latest_dag_version"]["id"] == "an id"


def test_a_dag_without_a_definition_has_the_tasks_of_its_instances() -> None:
    [task] = Definition(EMPTY, ["extract"]).tasks

    assert dump_task(task)["task_id"] == "extract"
    assert dump_task(task)["class_ref"]["class_name"] == "EmptyOperator"


def test_a_task_inherits_from_its_dag() -> None:
    fields = {
        "start_date": "2024-01-01T00:00:00+00:00",
        "params": {"a": {"value": 1}, "b": {"value": 2}},
        "tasks": [{"task_id": "t", "operator": "My", "params": {"b": {"value": 3}}}],
    }
    dag = EMPTY._replace(owners="team", definition=json.dumps(fields))
    [task] = map(dump_task, Definition(dag).tasks)

    assert (task["owner"], task["operator_name"]) == ("team", "My")
    assert task["start_date"] == datetime(2024, 1, 1, tzinfo=UTC)
    assert task["class_ref"]["module_path"] == "airflow.sdk.bases.operator"
    assert {name: (each["value"], each["source"]) for name, each in task["params"].items()} == {
        "a": (1, "dag"),
        "b": (3, "task"),
    }
