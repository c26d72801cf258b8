"""The filters of the two lists of DAG runs, as in Airflow 3.3.2."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server.api.conditions import one_of
from xcom_server.api.v2 import patterns
from xcom_server.api.v2.filters import NOTHING, ListRules, in_states
from xcom_server.storage.queries import WILDCARD, Condition

_SORTABLE = (
    "id",
    "state",
    "dag_id",
    "run_id",
    "logical_date",
    "run_after",
    "start_date",
    "end_date",
    "updated_at",
    "conf",
    "duration",
)

RULES = ListRules(
    patterns={
        "run_id": "run_id",
        "dag_id": "dag_id",
        "triggering_user_name": "triggering_user_name",
    },
    ranges=("run_after", "logical_date", "start_date", "end_date", "updated_at", "duration"),
    now_if_null=("start_date", "end_date"),
    names={
        **{name: name for name in _SORTABLE},
        "dag_run_id": "run_id",
        "partition_date": "id",  # null for all runs
    },
)

BATCH_RULES = replace(RULES, now_if_null=())

_NEVER_MATCH = (
    "bundle_version",
    "partition_key_pattern",
    "partition_key_prefix_pattern",
    "consuming_asset_pattern",
)
"""Filters of fields that are null for all runs here."""


def of_query(params: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of the parameters of a list.

    Raises BadRequestProblem for a pattern with too many alternatives.
    """
    versions = params.get("dag_version") or [1]
    impossible = 1 not in versions or any(params.get(name) for name in _NEVER_MATCH)
    return (
        *RULES.conditions(params),
        *one_of("run_type", params.get("run_type")),
        *in_states("state", params.get("state")),
        *_with_conf(params),
        *((NOTHING,) if impossible else ()),
    )


def of_batch(body: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of the body of a batch list."""
    return (
        *BATCH_RULES.conditions(body),
        *one_of("dag_id", body.get("dag_ids")),
        *in_states("state", body.get("states")),
        *_with_conf(body),
    )


def refuse_partition_dates(dag_id: str, params: Mapping[str, Any]) -> None:
    """Raise BadRequestProblem for a bound of the partition date: no DAG here is partitioned."""
    if not any(params.get(f"partition_date_{bound}") for bound in ("gte", "lte")):
        return
    if dag_id == WILDCARD:
        raise BadRequestProblem(
            detail="partition_date_gte and partition_date_lte require a specific dag_id."
        )
    raise BadRequestProblem(
        detail=f"Dag with dag_id: '{dag_id}' is not partitioned; partition_date_gte and"
        " partition_date_lte are not supported."
    )


def _with_conf(params: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the condition that `conf`, as JSON text, contains a text."""
    text = params.get("conf_contains")
    return (patterns.containing("conf", text),) if text else ()
