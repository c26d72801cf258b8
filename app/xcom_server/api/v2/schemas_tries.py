"""Tries of task instances in responses of v2, with the fields in the order of Airflow 3.3.2."""

from typing import Any

from xcom_server.api.v2.schemas_runs import dump_instance
from xcom_server.storage.task_instances import TaskInstance

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


def dump_try(record: TaskInstance) -> dict[str, Any]:
    """Return the fields of a try."""
    fields = dump_instance(record)
    return {name: value for name, value in fields.items() if name not in _NOT_IN_TRIES}
