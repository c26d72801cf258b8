"""The columns of DAG runs and task instances that were not triggered here, if nothing is given."""

import functools
import getpass
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, Table
from sqlalchemy.schema import DefaultClause

from xcom_server import task_graph
from xcom_server.states import INTERNAL_TYPES
from xcom_server.storage.models import RunDates

Columns = dict[str, Any]

_ENDED = ("success", "failed", "skipped", "upstream_failed", "up_for_retry")
_STARTED = (*_ENDED, "running", "restarting", "deferred", "up_for_reschedule", "awaiting_input")


def of_run(run_id: str, dates: RunDates, given: Mapping[str, Any]) -> Columns:
    """Return the columns of a run; `given` are columns that have other values."""
    return {
        **dates._asdict(),
        "run_type": run_type(run_id),
        "data_interval_start": dates.logical_date,
        "data_interval_end": dates.logical_date,
        "queued_at": dates.run_after,
        **_times(dates.run_after, given),
    }


def of_instance(map_index: int, run_after: datetime, given: Mapping[str, Any]) -> Columns:
    """Return the columns of a task instance; `given` are columns that have other values."""
    return {
        "try_number": int(given.get("state", "success") in _STARTED),
        "rendered_map_index": None if map_index < 0 else str(map_index),
        **_times(run_after, given),
    }


def of_tasks(tasks: Sequence[task_graph.Task]) -> dict[str, Columns]:
    """Return the columns of the task instances of a DAG's tasks, by task id."""
    weights = task_graph.priority_weights(tasks)
    return {
        task["task_id"]: {
            "max_tries": int(task.get("retries", 0)),
            "display_name": task.get("task_display_name"),
            "pool": task.get("pool", "default_pool"),
            "pool_slots": int(task.get("pool_slots", 1)),
            "queue": task.get("queue", "default"),
            "priority_weight": weights[task["task_id"]],
            "operator": task.get("operator", "EmptyOperator"),
            "operator_name": task.get("operator_name"),
        }
        for task in tasks
    }


def of_table(table: Table) -> Columns:
    """Return the values of columns that no row gives."""
    found: Columns = {}
    for column in table.columns:
        default = column.server_default
        found[column.key] = str(default.arg) if isinstance(default, DefaultClause) else None
        if found[column.key] is not None and isinstance(column.type, Integer):
            found[column.key] = int(found[column.key])
    return found


def run_type(run_id: str) -> str:
    """Return the type of a run by the prefix of its id, with the names of Airflow 3."""
    prefix = run_id.partition("__")[0].replace("dataset_triggered", "asset_triggered")
    return prefix if prefix in INTERNAL_TYPES else "manual"


def _times(date: datetime, given: Mapping[str, Any]) -> Columns:
    """Return the dates of a run or a task instance that started and ended, if it did, at a date."""
    state = given.get("state", "success")
    start = given.get("start_date", date if state in _STARTED else None)
    end = given.get("end_date", (start or date) if state in _ENDED else None)
    duration = (end - start).total_seconds() if start and end else None
    return {"start_date": start, "end_date": end, "duration": duration, "updated_at": end or date}


@functools.cache
def process_user() -> str:
    """Return the user of this process, whose name Airflow stores with a new task instance."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return "airflow"
