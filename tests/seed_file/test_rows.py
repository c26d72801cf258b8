"""Rows of DAGs, DAG runs and task instances in seed files: fields, types and error messages."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from xcom_server.seed_file import InvalidSeedFile, read
from xcom_server.storage.dags import SeedDag
from xcom_server.storage.models import SeedEntry
from xcom_server.storage.runs import SeedRun

DAG = {"dag_id": "etl"}
RUN = {"dag_id": "etl", "run_id": "r"}
ENTRY = {**RUN, "task_id": "t", "key": "k", "value": 1}


def dag(**fields: Any) -> SeedDag:
    (row,) = read(json.dumps({"dags": [{**DAG, **fields}]}))
    assert isinstance(row, SeedDag)
    return row


def run(**fields: Any) -> SeedRun:
    (row,) = read(json.dumps({"dag_runs": [{**RUN, **fields}]}))
    assert isinstance(row, SeedRun)
    return row


def test_file_can_have_all_kinds_of_rows_in_any_order() -> None:
    rows = read(json.dumps({"entries": [ENTRY], "dag_runs": [RUN], "dags": [DAG]}))

    assert [type(row) for row in rows] == [SeedDag, SeedRun, SeedEntry]
    assert [row.place for row in rows] == ["DAG 1", "DAG run 1", "entry 1"]


def test_value_of_an_entry_keeps_its_text_in_an_object() -> None:
    (row,) = read('{"entries": [' + json.dumps(ENTRY)[:-2] + ' {"b":1.10 , "a" : 2}}]}')

    assert isinstance(row, SeedEntry)
    assert row.value == '{"b":1.10 , "a" : 2}'


def test_fields_of_a_dag_are_columns_or_its_definition() -> None:
    row = dag(
        dag_display_name="ETL",
        is_paused=None,
        owners=["ann", "bob"],
        tags=["x", "y"],
        next_dagrun="2024-01-01T02:00:00+02:00",
        schedule={"days": 1},
        start_date="2024-01-01T02:00:00+02:00",
        script={"states": ["queued"]},
    )

    assert row.fields == {
        "display_name": "ETL",
        "is_paused": None,
        "owners": "ann, bob",
        "tags": "\nx\ny\n",
        "next_dagrun": datetime(2024, 1, 1, tzinfo=UTC),
    }
    assert row.definition == {
        "schedule": {"days": 1, "seconds": 0, "microseconds": 0},
        "start_date": "2024-01-01T00:00:00+00:00",
    }
    assert row.script == '{"states": ["queued"]}'


def test_dag_without_fields_gives_none() -> None:
    assert dag() == SeedDag("DAG 1", "etl", {}, {}, None)
    assert dag(tags=[]).fields == {"tags": ""}


@pytest.mark.parametrize(
    "schedule", [None, "@daily", "0 6 * * 1-5", {"seconds": 21600}, {"assets": {"all": ["a"]}}]
)
def test_schedule_has_one_of_the_forms(schedule: Any) -> None:
    assert "schedule" in dag(schedule=schedule).definition


def test_fields_of_a_run_are_those_given() -> None:
    row = run(
        state="running",
        conf={"a": "ü"},
        note=None,
        start_date="2024-01-01T00:00:00Z",
        end_date="2024-01-01T00:01:00.5Z",
    )

    assert row.fields == {
        "state": "running",
        "conf": '{"a": "ü"}',
        "note": None,
        "start_date": datetime(2024, 1, 1, tzinfo=UTC),
        "end_date": datetime(2024, 1, 1, 0, 1, 0, 500000, UTC),
        "duration": 60.5,
    }


def test_fields_of_a_task_instance_are_those_given() -> None:
    (row,) = run(
        task_instances=[
            {
                "task_id": "t",
                "map_index": 3,
                "state": None,
                "task_display_name": "T",
                "try_number": 2,
                "trigger": {"id": 1},
                "rendered_fields": {},
                "log": "text",
                "tries": [{"try_number": 1, "state": "failed", "end_date": "2024-01-01T00:00:00Z"}],
            }
        ]
    ).task_instances

    assert (row.task_id, row.map_index) == ("t", 3)
    assert row.fields == {
        "state": None,
        "display_name": "T",
        "try_number": 2,
        "details": '{"rendered_fields": {}, "trigger": {"id": 1}}',
    }
    assert row.logs == {2: "text"}
    (older,) = row.tries
    assert older.try_number == 1
    assert json.loads(older.record) == {
        "state": "failed",
        "end_date": "2024-01-01T00:00:00+00:00",
    }


def test_log_can_have_a_text_for_each_try() -> None:
    (row,) = run(task_instances=[{"task_id": "t", "log": {"1": "a", "2": "b"}}]).task_instances

    assert row.logs == {1: "a", 2: "b"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"bogus": 1}, "unknown field 'bogus'"),
        ({"dag_id": ""}, "dag_id must be a string of 1 to 250"),
        ({"dag_id": "~"}, "is a wildcard"),
        ({"dag_display_name": " x"}, "dag_display_name must be a string of one line"),
        ({"description": 5}, "description must be a string without NUL, or null"),
        ({"description": "\0"}, "description must be a string without NUL"),
        ({"is_paused": "true"}, "is_paused must be true or false, or null"),
        ({"is_stale": None}, "is_stale must be true or false"),
        ({"owners": "ann"}, "owners must be a list of strings without commas"),
        ({"owners": ["a, b"]}, "owners must be a list of strings without commas"),
        ({"tags": ["a\nb"]}, "tags must be a list of strings of one line"),
        ({"next_dagrun": "2024-01-01"}, "next_dagrun must be an RFC 3339 date"),
        ({"version_id": "x"}, "version_id must be a UUID"),
        ({"schedule": 5}, "schedule must be a cron expression, an object with days"),
        ({"schedule": {"assets": [], "x": 1}}, "schedule must be"),
        ({"schedule": {"days": 1.5}}, "schedule must be"),
        ({"dag_run_timeout": {"hours": 1}}, "dag_run_timeout must be an object with days"),
        ({"timezone": "Europe"}, "timezone must be the name of a time zone"),
        ({"timezone": "Mars/Base"}, "timezone must be the name of a time zone"),
        ({"max_active_runs": -1}, "max_active_runs must be a whole number from 0"),
        ({"last_parse_duration": True}, "last_parse_duration must be a number"),
        ({"params": {"a": 1}}, "params must be an object of objects with value"),
        ({"params": {"a": {"bogus": 1}}}, "params must be"),
        ({"params": {"a": {"schema": 1}}}, "params must be"),
        ({"params": {"a": {"schema": {"type": "nope"}}}}, "params must be"),
        ({"params": {"a": {"schema": {"pattern": "["}}}}, "params must be"),
        ({"default_args": []}, "default_args must be an object"),
        ({"script": 5}, "script must be an object"),
        ({"script": {"tasks": {"~": {}}}}, "task 1: task_id must not be '~'"),
        (
            {"tasks": [{"task_id": "a"}], "script": {"tasks": {"b": {}}}},
            "script.tasks.b is not a task of the DAG",
        ),
        ({"tasks": {}}, "tasks is not a list of objects"),
        ({"tasks": [{}]}, "task 1: task_id is missing"),
        ({"tasks": [{"task_id": "a", "x": 1}]}, "task 1: unknown field 'x'"),
        ({"tasks": [{"task_id": "a", "retries": 1.0}]}, "task 1: retries must be a whole number"),
        ({"tasks": [{"task_id": "a"}, {"task_id": "a"}]}, "task 2: duplicate of another task"),
        ({"tasks": [{"task_id": "a", "upstream": ["b"]}]}, "task 1: upstream has 'b', not a task"),
        ({"tasks": [{"task_id": "a", "upstream": ["a"]}]}, "depend on each other in a circle"),
        ({"tasks": [{"task_id": "a", "extra_links": 1}]}, "task 1: extra_links must be a list"),
    ],
)
def test_error_names_the_field_of_a_dag(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSeedFile, match=r"^f.json: DAG 2: ") as error:
        read(json.dumps({"dags": [DAG, {**DAG, **fields}]}), "f.json")

    assert words in str(error.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"state": "done"}, "state must be one of queued, running, success, failed"),
        ({"run_type": 5}, "run_type must be one of manual, scheduled"),
        ({"triggered_by": "me"}, "triggered_by must be one of cli, operator"),
        ({"conf": None}, "conf must be an object"),
        ({"duration": "1"}, "duration must be a number, or null"),
        ({"task_instances": [5]}, "task_instances is not a list of objects"),
    ],
)
def test_error_names_the_field_of_a_run(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSeedFile, match=r"^DAG run 1: ") as error:
        run(**fields)

    assert words in str(error.value)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"bogus": 1}, "unknown field 'bogus'"),
        ({"map_index": -2}, "map_index must be a whole number from -1 to 2147483647"),
        ({"state": "done"}, "state must be one of removed, scheduled"),
        ({"pid": 2**31}, "pid must be a whole number"),
        ({"id": "x"}, "id must be a UUID"),
        ({"trigger": []}, "trigger must be an object, or null"),
        ({"rendered_fields": None}, "rendered_fields must be an object"),
        ({"log": 5}, "log must be a string, or an object of strings by try number"),
        ({"log": {"x": "a"}}, "log must be a string"),
        ({"log": {"1": 2}}, "log must be a string"),
        ({"tries": [{}]}, "try 1: try_number is missing"),
        ({"tries": [{"try_number": 1, "note": "x"}]}, "try 1: unknown field 'note'"),
        ({"tries": [{"try_number": -1}]}, "try 1: try_number must be a whole number from 0"),
    ],
)
def test_error_names_the_field_of_a_task_instance(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidSeedFile, match=r"^DAG run 1: task instance 2: ") as error:
        run(task_instances=[{"task_id": "t"}, {"task_id": "t", **fields}])

    assert words in str(error.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"dags": [], "runs": []}', "unknown member 'runs'; allowed: dags, dag_runs, entries"),
        ('{"dags": [], "dags": []}', "not JSON: the duplicate key 'dags'"),
        ('{"dags": 5}', "neither a list of entries nor an object with dag_runs, dags or entries"),
        ('{"dags": [{"dag_id": "a", "dag_id": "b"}]}', "DAG 1: it contains the duplicate key"),
        ('{"dags": [{"dag_id": "a", "params": NaN}]}', "DAG 1: it contains NaN"),
        ('{"dags": [] x', "not JSON: Expecting ',' delimiter"),
    ],
)
def test_file_of_another_form_is_rejected(text: str, words: str) -> None:
    with pytest.raises(InvalidSeedFile) as error:
        read(text, "f.json")

    assert str(error.value).startswith(f"f.json: {words}")
