"""Recorded seeds of runs, task instances and DAGs as seed files of this server."""

import json
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from xcom_server import seed_file

from tests.parity.neighbour_seeds import convert
from tests.support.paths import PARITY, ROOT


def converted(version: str) -> dict[str, Any]:
    text = (PARITY / "neighbours" / f"{version}.seed.json").read_text(encoding="utf-8")
    return convert(json.loads(text))


def named(rows: list[dict[str, Any]], field: str, name: str) -> dict[str, Any]:
    """Return the row whose field has this value."""
    return next(row for row in rows if row[field] == name)


@pytest.mark.parametrize(("version", "runs"), [("v1", 141), ("v2", 142)])
def test_command_writes_a_seed_file(version: str, runs: int) -> None:
    command = [sys.executable, "-m", "tests.parity.neighbour_seeds"]
    path = f"tests/parity/neighbours/{version}.seed.json"
    done = subprocess.run([*command, path], cwd=ROOT, capture_output=True, check=True)

    rows = seed_file.read(done.stdout.decode())
    assert Counter(type(row).__name__ for row in rows) == {
        "SeedDag": 15,
        "SeedRun": runs,
        "SeedEntry": 9,
    }


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_schedules_and_durations_have_one_form_in_both_versions(version: str) -> None:
    dags = {dag["dag_id"]: dag for dag in converted(version)["dags"]}

    delta = {"days": 0, "seconds": 21600, "microseconds": 0}
    assert dags["display_dag"]["schedule"] == delta
    assert dags["etl_manual"]["schedule"] is None
    assert dags["cron_tz"]["schedule"] == "0 6 * * 1-5"
    assert dags["cron_tz"]["schedule_timezone"] == "Europe/Warsaw"
    assert "all" in dags["asset_driven"]["schedule"]["assets"]
    timeouts = [dag["dag_run_timeout"] for dag in dags.values() if dag["dag_run_timeout"]]
    assert timeouts == [{"days": 0, "seconds": 3600, "microseconds": 0}]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_order_of_insertion_is_the_order_in_the_file(version: str) -> None:
    seed = converted(version)

    tasks = [task["task_id"] for task in named(seed["dags"], "dag_id", "etl_manual")["tasks"]]
    assert tasks == ["extract", "transform", "load", "mapped", "make_list", "mapped_dyn"]
    assert [run["run_id"] for run in seed["dag_runs"]][1:4] == [
        "run_queued",
        "run_running",
        "run_failed",
    ]


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_logs_tries_and_triggers_belong_to_their_task_instance(version: str) -> None:
    seed = converted(version)

    states = named(seed["dag_runs"], "run_id", "states")["task_instances"]
    (older,) = named(states, "task_id", "s_failed")["tries"]
    assert (older["try_number"], older["state"], older["duration"]) == (1, "failed", 7.25)
    deferred = named(states, "task_id", "s_deferred")
    assert (deferred["trigger"]["triggerer_id"], deferred["triggerer_job"]["id"]) == (2, 2)
    logged = [each for run in seed["dag_runs"] for each in run["task_instances"] if "log" in each]
    assert [[*each["log"]] for each in logged] == [["1"]]


def test_tasks_whose_result_is_that_of_the_run_are_marked() -> None:
    tasks = named(converted("v2")["dags"], "dag_id", "etl_manual")["tasks"]

    assert [task["task_id"] for task in tasks if task["dag_result"]] == ["load"]
    assert [task["mapped"] for task in tasks if task["is_mapped"]] == [3, None]
