"""The filters of the lists of task instances, as in Airflow 3.3.2."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from xcom_server.api.conditions import one_of
from xcom_server.api.v2.filters import NOTHING, ListRules, in_states
from xcom_server.storage.queries import Condition

_SORTABLE = (
    "id",
    "state",
    "duration",
    "start_date",
    "end_date",
    "map_index",
    "try_number",
    "logical_date",
    "run_after",
    "data_interval_start",
    "data_interval_end",
    "rendered_map_index",
    "operator",
)

RULES = ListRules(
    patterns={
        "task_display_name": "display_name",
        "dag_id": "dag_id",
        "run_id": "run_id",
        "pool_name": "pool",
        "queue_name": "queue",
        "operator_name": "operator_name",
        "rendered_map_index": "rendered_map_index",
    },
    ranges=("run_after", "logical_date", "start_date", "end_date", "updated_at", "duration"),
    now_if_null=("start_date", "end_date"),
    names={name: name for name in _SORTABLE},
)

BATCH_RULES = replace(RULES, now_if_null=(), names={name: name for name in _SORTABLE[:6]})

_NAMES = ("pool", "queue", "executor", "operator")
_NUMBERS = ("try_number", "map_index")


def of_query(params: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of the parameters of a list.

    All DAGs have version 1 and no task groups. Raises BadRequestProblem for too many values
    or alternatives of a pattern.
    """
    impossible = 1 not in (params.get("version_number") or [1]) or params.get("task_group_id")
    return (
        *RULES.conditions(params),
        *in_states("state", params.get("state")),
        *_each_one_of(params, {name: name for name in (*_NAMES, *_NUMBERS)}),
        *((NOTHING,) if impossible else ()),
    )


def of_batch(body: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of the body of a batch list."""
    ids = {"dag_ids": "dag_id", "dag_run_ids": "run_id", "task_ids": "task_id"}
    return (
        *BATCH_RULES.conditions(body),
        *in_states("state", body.get("state")),
        *_each_one_of(body, ids | {name: name for name in ("pool", "queue", "executor")}),
    )


def is_task(task_id: str | None) -> tuple[Condition, ...]:
    """Return the condition of the parameter `task_id`, in which `~` is not a wildcard."""
    return one_of("task_id", None if task_id is None else [task_id])


def _each_one_of(params: Mapping[str, Any], fields: Mapping[str, str]) -> Iterable[Condition]:
    """Yield the conditions of parameters with lists; `fields` maps their names to fields."""
    for name, field in fields.items():
        yield from one_of(field, params.get(name))
