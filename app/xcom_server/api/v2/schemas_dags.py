"""DAGs and tasks in responses of v2, with the fields in the order of Airflow 3.3.2."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol

from pydantic_core import to_jsonable_python

from xcom_server.api import schedules, url_tokens
from xcom_server.api.definitions import Definition
from xcom_server.api.ordering import order_of
from xcom_server.task_graph import Task

BUNDLE = "dags-folder"  # the bundle of all DAGs

_MODULES = {
    "EmptyOperator": "airflow.providers.standard.operators.empty",
    "PythonOperator": "airflow.providers.standard.operators.python",
    "BashOperator": "airflow.providers.standard.operators.bash",
    "_PythonDecoratedOperator": "airflow.providers.standard.decorators.python",
}
_OTHER_MODULE = "airflow.sdk.bases.operator"
_SORTABLE = (
    "task_id",
    "task_display_name",
    "owner",
    "start_date",
    "end_date",
    "trigger_rule",
    "depends_on_past",
    "wait_for_downstream",
    "retries",
    "queue",
    "pool",
    "pool_slots",
    "execution_timeout",
    "retry_delay",
    "retry_exponential_backoff",
    "priority_weight",
    "weight_rule",
    "ui_color",
    "ui_fgcolor",
    "doc_md",
    "operator_name",
)


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


def dump_dag(definition: Definition) -> dict[str, Any]:
    """Return the fields of a DAG."""
    return {**_basic(definition), **_last(definition)}


def dump_details(definition: Definition, active_runs_count: int) -> dict[str, Any]:
    """Return the fields of a DAG with its details."""
    return {
        **_basic(definition),
        "catchup": definition.get("catchup", False),
        "dag_run_timeout": _duration(definition.get("dag_run_timeout")),
        "asset_expression": definition.asset_expression,
        "doc_md": definition.get("doc_md"),
        "start_date": definition.date("start_date"),
        "end_date": definition.date("end_date"),
        "is_paused_upon_creation": definition.get("is_paused_upon_creation"),
        "params": _params(definition.params),
        "render_template_as_native_obj": False,
        "template_search_path": None,
        "timezone": definition.get("timezone", "UTC"),
        "last_parsed": definition.last_parsed_time,
        "default_args": definition.get("default_args", {}),
        "rerun_with_latest_version": None,
        "owner_links": definition.get("owner_links", {}),
        "is_favorite": False,
        "active_runs_count": active_runs_count,
        **_last(definition),
        "concurrency": definition.max_active_tasks,
        "latest_dag_version": dump_version(definition.dag),
    }


def dump_task(task: Task) -> dict[str, Any]:
    """Return the fields of a task; Airflow writes all numbers as floats."""
    return {
        "task_id": task["task_id"],
        "task_display_name": task["task_display_name"],
        "owner": task["owner"],
        "start_date": task["start_date"],
        "end_date": task["end_date"],
        "trigger_rule": task["trigger_rule"],
        "depends_on_past": task["depends_on_past"],
        "wait_for_downstream": task["wait_for_downstream"],
        "retries": float(task["retries"]),
        "queue": task["queue"],
        "pool": task["pool"],
        "pool_slots": float(task["pool_slots"]),
        "execution_timeout": _time_delta(task["execution_timeout"]),
        "retry_delay": _time_delta(task["retry_delay"]),
        "retry_exponential_backoff": 0.0,
        "priority_weight": float(task["priority_weight"]),
        "weight_rule": task["weight_rule"],
        "ui_color": task["ui_color"],
        "ui_fgcolor": task["ui_fgcolor"],
        "template_fields": task["template_fields"],
        "downstream_task_ids": task["downstream_task_ids"],
        "doc_md": task["doc_md"],
        "operator_name": task["operator_name"],
        "params": _params(task["params"]),
        "class_ref": {
            "module_path": task.get("module") or _MODULES.get(task["operator"], _OTHER_MODULE),
            "class_name": task["operator"],
        },
        "is_mapped": task["is_mapped"],
        "extra_links": task["extra_links"],
    }


def sorted_tasks(tasks: Sequence[dict[str, Any]], order_by: str) -> list[dict[str, Any]]:
    """Return dumped tasks in the order of a field, descending after `-`; nulls are the smallest.

    Raises BadRequestProblem with the text of Airflow for an unknown field.
    """
    name, is_descending = order_of(order_by, {name: name for name in _SORTABLE})
    return sorted(tasks, key=lambda task: _sort_key(task[name]), reverse=is_descending)


def _sort_key(value: Any) -> tuple[bool, Any]:
    """Return a key for values of one type, for None, and for durations."""
    return value is not None, [*value.values()][1:] if isinstance(value, dict) else value


def _basic(definition: Definition) -> dict[str, Any]:
    dag, schedule = definition.dag, definition.schedule
    return {
        "dag_id": dag.dag_id,
        "dag_display_name": dag.dag_display_name,
        "is_paused": bool(dag.is_paused),
        "is_stale": dag.is_stale,
        "last_parsed_time": definition.last_parsed_time,
        "last_parse_duration": definition.get("last_parse_duration"),
        "last_expired": None,
        "bundle_name": BUNDLE,
        "bundle_version": None,
        "relative_fileloc": definition.relative_fileloc,
        "fileloc": definition.fileloc,
        "description": definition.get("description"),
        "timetable_summary": schedules.summary(schedule),
        "timetable_description": definition.timetable_description("assets"),
        "timetable_partitioned": False,
        "timetable_periodic": schedules.is_periodic(schedule),
        "tags": [
            {"name": tag, "dag_id": dag.dag_id, "dag_display_name": dag.dag_display_name}
            for tag in dag.tag_names
        ],
        "max_active_tasks": definition.max_active_tasks,
        "max_active_runs": definition.max_active_runs,
        "max_consecutive_failed_dag_runs": 0,
        "has_task_concurrency_limits": False,
        "has_import_errors": False,
        "next_dagrun_logical_date": dag.next_dagrun,
        "next_dagrun_data_interval_start": definition.date("next_dagrun_data_interval_start"),
        "next_dagrun_data_interval_end": definition.date("next_dagrun_data_interval_end"),
        "next_dagrun_run_after": definition.date("next_dagrun_create_after"),
        "allowed_run_types": None,
        "owners": dag.owner_names,
    }


def _last(definition: Definition) -> dict[str, Any]:
    """Return the fields that follow the details."""
    location = {"bundle_name": BUNDLE, "relative_fileloc": definition.relative_fileloc}
    return {
        "is_backfillable": schedules.is_periodic(definition.schedule),
        "file_token": url_tokens.sign(location),
    }


def _params(params: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    names = ("value", "schema", "description", "source")
    return {name: {each: param.get(each) for each in names} for name, param in params.items()}


def _duration(parts: dict[str, int] | None) -> Any:
    """Return a duration in the format of ISO 8601."""
    return parts and to_jsonable_python(schedules.delta(parts))


def _time_delta(parts: dict[str, int] | None) -> dict[str, Any] | None:
    return parts and {"__type": "TimeDelta", **parts}
