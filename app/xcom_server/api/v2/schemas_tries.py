"""Tries of task instances in responses of v2, with the fields in the order of Airflow 3.3.2."""

import json
from typing import Any

from xcom_server.api.v2.schemas_runs import dump_instance
from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.storage.task_instances import TaskInstance, Try

_NOT_IN_TRIES = (
    "id",
    "logical_date",
    "run_after",
    "note",
    "rendered_map_index",
    "rendered_fields",
    "trigger",
    "triggerer_job",
)
_DATES = ("start_date", "end_date", "queued_when", "scheduled_when")


def dump_try(record: TaskInstance) -> dict[str, Any]:
    """Return the fields of a try."""
    fields = dump_instance(record)
    return {name: value for name, value in fields.items() if name not in _NOT_IN_TRIES}


def at_try(record: TaskInstance, older: Try) -> TaskInstance:
    """Return a task instance as it was at an older try."""
    fields = json.loads(older.record)
    dates = {
        name: fields[name] and parse_rfc3339(fields[name]) for name in _DATES if name in fields
    }
    return record._replace(**{**fields, **dates, "try_number": older.try_number})
