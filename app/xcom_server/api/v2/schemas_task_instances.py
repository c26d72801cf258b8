"""Task instances and their tries in responses of v2, with the fields in Airflow 3.3.2's order."""

import json
from typing import Any

from xcom_server.api.v2.schemas_dags import dump_version
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


def dump_instance(record: TaskInstance) -> dict[str, Any]:
    """Return the fields of a task instance."""
    details = json.loads(record.details)
    return {
        "id": record.id,
        "task_id": record.task_id,
        "dag_id": record.dag_id,
        "dag_run_id": record.run_id,
        "map_index": record.map_index,
        "logical_date": record.logical_date,
        "run_after": record.run_after,
        "start_date": record.start_date,
        "end_date": record.end_date,
        "duration": record.duration,
        "state": record.state,
        "try_number": record.try_number,
        "max_tries": record.max_tries,
        "task_display_name": record.task_display_name,
        "dag_display_name": record.dag_display_name,
        "hostname": record.hostname,
        "unixname": record.unixname,
        "pool": record.pool,
        "pool_slots": record.pool_slots,
        "queue": record.queue,
        "priority_weight": record.priority_weight,
        "operator": record.operator,
        "operator_name": record.operator_name or record.operator,
        "queued_when": record.queued_when,
        "scheduled_when": record.scheduled_when,
        "pid": record.pid,
        "executor": record.executor,
        "executor_config": record.executor_config,
        "note": record.note,
        "rendered_map_index": record.rendered_map_index,
        "rendered_fields": details.get("rendered_fields") or {},
        "trigger": details.get("trigger"),
        "triggerer_job": details.get("triggerer_job"),
        "dag_version": dump_version(record),
    }


def dump_try(record: TaskInstance) -> dict[str, Any]:
    """Return the fields of a try."""
    fields = dump_instance(record)
    return {name: value for name, value in fields.items() if name not in _NOT_IN_TRIES}
