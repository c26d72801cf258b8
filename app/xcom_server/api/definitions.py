"""The fields of DAGs and tasks that their definitions give, with the defaults of both versions."""

import json
import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from xcom_server import task_graph
from xcom_server.api import schedules
from xcom_server.errors import DagNotFound
from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.storage.dags import Dag, DagStore
from xcom_server.storage.queries import WILDCARD
from xcom_server.task_graph import Task

_log = logging.getLogger(__name__)

DAGS_FOLDER = "/opt/airflow/dags"
RETRY_DELAY = {"days": 0, "seconds": 300, "microseconds": 0}

_EMPTY = "EmptyOperator"
_DECORATED = "_PythonDecoratedOperator"

_TASK_DEFAULTS: Task = {
    "operator": _EMPTY,
    "trigger_rule": "all_success",
    "depends_on_past": False,
    "wait_for_downstream": False,
    "retries": 0,
    "queue": "default",
    "pool": "default_pool",
    "pool_slots": 1,
    "execution_timeout": None,
    "retry_delay": RETRY_DELAY,
    "priority_weight": 1,
    "weight_rule": "downstream",
    "ui_fgcolor": "#000",
    "doc_md": None,
    "extra_links": [],
}
_OPERATOR_DEFAULTS: dict[str, Task] = {
    _EMPTY: {"ui_color": "#e8f7e4"},
    _DECORATED: {
        "operator_name": "@task",
        "ui_color": "#ffefeb",
        "template_fields": ["templates_dict", "op_args", "op_kwargs"],
    },
}


class Definition:
    """The definition of a DAG.

    `task_ids` are the tasks of a DAG whose definition has no `tasks`.
    """

    def __init__(self, dag: Dag, task_ids: Sequence[str] = ()) -> None:
        self.dag = dag
        self._fields: dict[str, Any] = json.loads(dag.definition)
        self._rows: list[Task] = self._fields.get("tasks", [{"task_id": each} for each in task_ids])

    def get(self, name: str, default: Any = None) -> Any:
        """Return a field, or the default if the definition does not have it."""
        return self._fields.get(name, default)

    def date(self, name: str) -> datetime | None:
        """Return a field that is a datetime."""
        text = self._fields.get(name)
        return None if text is None else parse_rfc3339(text)

    @property
    def schedule(self) -> Any:
        """The schedule, as `schedules` describes it."""
        return self._fields.get("schedule")

    @property
    def asset_expression(self) -> Any:
        """The expression of the assets that trigger the DAG, None if there is none."""
        return self.schedule["assets"] if schedules.has_assets(self.schedule) else None

    @property
    def max_active_runs(self) -> Any:
        """The number of runs that Airflow would execute at once."""
        return self.get("max_active_runs", 16)

    @property
    def max_active_tasks(self) -> Any:
        """The number of task instances that Airflow would execute at once."""
        return self.get("max_active_tasks", 16)

    def timetable_description(self, assets: str) -> Any:
        """The schedule in words; `assets` is what the version of Airflow calls assets."""
        default = schedules.description(self.schedule, assets=assets)
        return self.get("timetable_description", default)

    @property
    def relative_fileloc(self) -> str:
        """The file of the DAG, relative to the folder of DAGs."""
        return str(self.get("relative_fileloc") or f"{self.dag.dag_id}.py")

    @property
    def fileloc(self) -> str:
        """The path of the DAG's file."""
        return str(self.get("fileloc") or f"{DAGS_FOLDER}/{self.relative_fileloc}")

    @property
    def last_parsed_time(self) -> datetime:
        """When Airflow would have read the file; by default when the DAG was registered."""
        return self.date("last_parsed_time") or self.dag.created_at

    @property
    def params(self) -> dict[str, dict[str, Any]]:
        """The params by name, each with at least `value`, `schema` and `description`."""
        return _params(self.get("params", {}))

    @property
    def tasks(self) -> list[Task]:
        """The tasks with all fields of a seed file, sorted by id."""
        downstream = task_graph.downstream(self._rows)
        rows = sorted(self._rows, key=lambda row: str(row["task_id"]))
        return [
            self._task(row) | {"downstream_task_ids": downstream[row["task_id"]]} for row in rows
        ]

    def task(self, task_id: str) -> Task | None:
        """Return one of `tasks`, None for an unknown id."""
        return {task["task_id"]: task for task in self.tasks}.get(task_id)

    def _task(self, row: Task) -> Task:
        given = {name: value for name, value in row.items() if value is not None}
        operator = given.get("operator", _EMPTY)
        inherited = {
            "task_display_name": row["task_id"],
            "operator_name": operator,
            "owner": self.dag.owners,
            "start_date": self.get("start_date"),
            "end_date": self.get("end_date"),
            "is_mapped": "mapped" in given,
            "ui_color": "#fff",
            "template_fields": [],
        }
        task = {**_TASK_DEFAULTS, **inherited, **_OPERATOR_DEFAULTS.get(operator, {}), **given}
        dates = {
            name: task[name] and parse_rfc3339(task[name]) for name in ("start_date", "end_date")
        }
        return {**task, **dates, "params": self._params_of(row)}

    def _params_of(self, row: Task) -> dict[str, dict[str, Any]]:
        """Return the params of a task: its own, and those of the DAG."""
        own = _params(row.get("params", {}))
        return {
            **{name: {**param, "source": "dag"} for name, param in self.params.items()},
            **{name: {"source": "task", **param} for name, param in own.items()},
        }


def dag_to_trigger(dags: DagStore, dag_id: str, *, is_required: bool) -> Dag | None:
    """Return the DAG of a new run, None for an unknown one, which the run registers.

    Raises DagNotFound for a stale DAG, for the wildcard, and for an unknown DAG that is required.
    """
    try:
        dag = dags.get(dag_id)
    except DagNotFound:
        if is_required or dag_id == WILDCARD:
            raise
        _log.warning(
            "A run registers the unknown DAG %r. With XCOM_REQUIRE_PARENTS=true it gets a 404.",
            dag_id,
        )
        return None
    if dag.is_stale:
        raise DagNotFound(dag_id)
    return dag


def definition_of(dags: DagStore, dag_id: str) -> Definition:
    """Return the definition of a DAG with its tasks.  Raises DagNotFound."""
    return Definition(dags.get(dag_id), dags.task_ids(dag_id))


def _params(given: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    defaults: dict[str, Any] = {"value": None, "schema": {}, "description": None}
    return {name: {**defaults, **param} for name, param in given.items()}
