"""DAG runs and task instances in responses of v2, with the fields in the order of Airflow 3.3.2."""

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

from pydantic_core import from_json

from xcom_server.storage.runs import DagRun
from xcom_server.storage.task_instances import TaskInstance


class HasDagVersion(Protocol):
    """A record with the fields of its DAG's only version."""

    @property
    def dag_id(self) -> str:
        """The DAG."""

    @property
    def dag_display_name(self) -> str:
        """Its display name."""

    @property
    def version_id(self) -> str:
        """A UUID."""

    @property
    def created_at(self) -> datetime:
        """The time at which the DAG was registered."""


def dump_version(record: HasDagVersion) -> dict[str, Any]:
    """Return the version of a record's DAG; a DAG has one version only."""
    return {
        "id": record.version_id,
        "version_number": 1,
        "dag_id": record.dag_id,
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "created_at": record.created_at,
        "dag_display_name": record.dag_display_name,
        "bundle_url": None,
    }


def dump_runs(runs: Iterable[DagRun]) -> list[dict[str, Any]]:
    """Return the fields of each run; the runs of a DAG share their version."""
    versions: dict[str, list[dict[str, Any]]] = {}
    rows = []
    for run in runs:
        version = versions.get(run.dag_id)
        if version is None:
            version = versions[run.dag_id] = [dump_version(run)]
        rows.append(_fields(run, version if run.has_task_instances else []))
    return rows


def dump_run(run: DagRun) -> dict[str, Any]:
    """Return the fields of a run."""
    return dump_runs([run])[0]


def _fields(run: DagRun, versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "dag_run_id": run.run_id,
        "dag_id": run.dag_id,
        "logical_date": run.logical_date,
        "queued_at": run.queued_at,
        "start_date": run.start_date,
        "end_date": run.end_date,
        "duration": run.duration,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "run_after": run.run_after,
        "last_scheduling_decision": run.last_scheduling_decision,
        "run_type": run.run_type,
        "state": run.state,
        "triggered_by": run.triggered_by,
        "triggering_user_name": run.triggering_user_name,
        "conf": {} if run.conf == "{}" else _parse(run.conf),
        "note": run.note,
        "dag_versions": versions,
        "bundle_version": None,
        "dag_display_name": run.display_name or run.dag_id,
        "partition_key": None,
        "partition_date": None,
    }


def _parse(text: str) -> Any:
    """Return the value of a JSON text; from_json is faster, but rejects deep nesting."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)


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
