"""DAG runs and task instances in responses of v2, with the fields in the order of Airflow 3.3.2."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic_core import from_json, to_json

from xcom_server.api.json_rows import RowWriter, Value, cached_for_short_texts
from xcom_server.storage.runs import DagRun
from xcom_server.storage.task_instances import TaskInstance

BUNDLE = "dags-folder"  # the bundle of all DAGs


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
        "bundle_name": BUNDLE,
        "bundle_version": None,
        "created_at": record.created_at,
        "dag_display_name": record.dag_display_name,
        "bundle_url": None,
    }


def dump_run(run: DagRun) -> dict[str, Any]:
    """Return the fields of a run."""
    versions = [dump_version(run)] if run.has_task_instances else []
    return _fields(run, _parse(run.conf), versions, run.dag_display_name)


def runs_as_json(runs: Sequence[DagRun]) -> bytes:
    """Return a JSON list of the fields of runs, as `dump_run` returns them.

    The runs of a DAG share the text of their version.
    """
    if not runs:
        return b"[]"
    columns: dict[str, Any] = dict(zip(DagRun._fields, zip(*runs, strict=True), strict=True))
    of_dag = [*zip(columns["dag_id"], columns["has_task_instances"], strict=True)]
    one_each = {each: dump_run(run) for each, run in dict(zip(of_dag, runs, strict=True)).items()}
    for name in ("dag_versions", "dag_display_name"):
        written = {each: to_json(run[name]).decode() for each, run in one_each.items()}
        columns[name] = [written[each] for each in of_dag]
    columns["conf"] = [*map(_compact, columns["conf"])]
    return f"[{_WRITER.write(columns)}]".encode()


def _fields(run: DagRun, conf: Any, dag_versions: Any, dag_display_name: Any) -> dict[str, Any]:
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
        "conf": conf,
        "note": run.note,
        "dag_versions": dag_versions,
        "bundle_version": None,
        "dag_display_name": dag_display_name,
        "partition_key": None,
        "partition_date": None,
    }


_WRITER = RowWriter(
    _fields(
        DagRun._make(map(Value, DagRun._fields)),
        Value("conf"),
        Value("dag_versions"),
        Value("dag_display_name"),
    ),
    dates=(
        *("logical_date", "run_after", "data_interval_start", "data_interval_end", "queued_at"),
        *("start_date", "end_date", "last_scheduling_decision"),
    ),
    texts=("conf", "dag_versions", "dag_display_name"),
)


@cached_for_short_texts
def _compact(text: str) -> str:
    """Return a JSON text without spaces, as in responses."""
    return to_json(_parse(text)).decode()


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
