"""DAGs and tasks in responses of v1, with sorted fields as in Airflow 2.10.5."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server.api import schedules, url_tokens
from xcom_server.api.definitions import Definition
from xcom_server.storage.dags import Dag
from xcom_server.task_graph import Task

_ASSETS = "datasets"  # what Airflow 2 calls assets
_PARAM_CLASS = "airflow.models.param.Param"
_MODULES = {
    "EmptyOperator": "airflow.operators.empty",
    "_PythonDecoratedOperator": "airflow.decorators.python",
}
_MODULE = "airflow.models.baseoperator"  # of any other operator whose seed gives no module


def dump_dag(dag: Dag) -> dict[str, Any]:
    """Return the fields of a DAG in a list."""
    definition = Definition(dag)
    return {
        "dag_display_name": dag.dag_display_name,
        "dag_id": dag.dag_id,
        "default_view": "grid",
        "description": definition.get("description"),
        "file_token": url_tokens.sign(definition.fileloc),
        "fileloc": definition.fileloc,
        "has_import_errors": False,
        "has_task_concurrency_limits": False,
        "is_active": not dag.is_stale,
        "is_paused": dag.is_paused,
        "is_subdag": False,
        "last_expired": None,
        "last_parsed_time": _text(definition.last_parsed_time),
        "last_pickled": None,
        "max_active_runs": definition.max_active_runs,
        "max_active_tasks": definition.max_active_tasks,
        "max_consecutive_failed_dag_runs": 0,
        "next_dagrun": _text(dag.next_dagrun),
        "next_dagrun_create_after": _text(definition.date("next_dagrun_create_after")),
        "next_dagrun_data_interval_end": _text(definition.date("next_dagrun_data_interval_end")),
        "next_dagrun_data_interval_start": _text(
            definition.date("next_dagrun_data_interval_start")
        ),
        "owners": dag.owners.split(","),  # as in Airflow 2, with the spaces after the commas
        "pickle_id": None,
        "root_dag_id": None,
        "schedule_interval": _schedule_interval(definition.schedule),
        "scheduler_lock": None,
        "tags": [{"name": name} for name in dag.tag_names],
        "timetable_description": definition.timetable_description(_ASSETS),
    }


def dump_details(dag: Dag) -> dict[str, Any]:
    """Return all fields of a DAG; as in Airflow 2, its owners are left out."""
    definition = Definition(dag)
    fields = dump_dag(dag)
    fields |= {
        "catchup": definition.get("catchup", False),
        "concurrency": fields["max_active_tasks"],
        "dag_run_timeout": _time_delta(definition.get("dag_run_timeout")),
        "dataset_expression": definition.asset_expression,
        "doc_md": definition.get("doc_md"),
        "end_date": _text(definition.date("end_date")),
        "is_paused_upon_creation": definition.get("is_paused_upon_creation"),
        "last_parsed": _text(dag.created_at),
        "orientation": "LR",
        "owners": [],
        "params": _params(definition.params),
        "render_template_as_native_obj": False,
        "start_date": _text(definition.date("start_date")),
        "template_searchpath": None,
        "timezone": definition.get("timezone", "UTC"),
    }
    return dict(sorted(fields.items()))


def dump_task(task: Task) -> dict[str, Any]:
    """Return the fields of a task of a `Definition`."""
    operator = task["operator"]
    return {
        "class_ref": {
            "class_name": operator,
            "module_path": task.get("module", _MODULES.get(operator, _MODULE)),
        },
        "depends_on_past": task["depends_on_past"],
        "doc_md": task["doc_md"],
        "downstream_task_ids": task["downstream_task_ids"],
        "end_date": _text(task["end_date"]),
        "execution_timeout": _time_delta(task["execution_timeout"]),
        "extra_links": task["extra_links"],
        "is_mapped": task["is_mapped"],
        "operator_name": task["operator_name"],
        "owner": task["owner"],
        "params": _params(task["params"]),
        "pool": task["pool"],
        "pool_slots": float(task["pool_slots"]),
        "priority_weight": float(task["priority_weight"]),
        "queue": task["queue"],
        "retries": float(task["retries"]),
        "retry_delay": _time_delta(task["retry_delay"]),
        "retry_exponential_backoff": False,
        "start_date": _text(task["start_date"]),
        "task_display_name": task["task_display_name"],
        "task_id": task["task_id"],
        "template_fields": task["template_fields"],
        "trigger_rule": task["trigger_rule"],
        "ui_color": task["ui_color"],
        "ui_fgcolor": task["ui_fgcolor"],
        "wait_for_downstream": task["wait_for_downstream"],
        "weight_rule": task["weight_rule"],
    }


def ordered_tasks(tasks: list[dict[str, Any]], order_by: str) -> list[dict[str, Any]]:
    """Return dumped tasks ordered by a field, which begins with `-` for the reverse order.

    Raises BadRequestProblem with Airflow's text for a field without an order.
    """
    name = order_by.lstrip("-")
    if any(isinstance(task.get(name, {}), dict | list) for task in tasks):
        raise BadRequestProblem(detail=f"'SerializedBaseOperator' object has no attribute '{name}'")
    return sorted(
        tasks,
        key=lambda task: (task[name] is not None, task[name]),
        reverse=order_by.startswith("-"),
    )


def _schedule_interval(schedule: Any) -> dict[str, Any] | None:
    """Return a schedule; one with assets has the name of Airflow 2 for assets."""
    if isinstance(schedule, str):
        return {"__type": "CronExpression", "value": schedule}
    if schedules.has_assets(schedule):
        return {"__type": "CronExpression", "value": "Dataset"}
    return _time_delta(schedule)


def _time_delta(parts: Mapping[str, int] | None) -> dict[str, Any] | None:
    if parts is None:
        return None
    return {"__type": "TimeDelta"} | {
        name: parts.get(name, 0) for name in ("days", "microseconds", "seconds")
    }


def _params(params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        name: {
            "__class": param.get("class", _PARAM_CLASS),
            "description": param["description"],
            "schema": param["schema"],
            "value": param["value"],
        }
        for name, param in params.items()
    }


def _text(date: datetime | None) -> str | None:
    return None if date is None else date.isoformat()
