"""The run that a request triggers, with the checks and the defaults of Airflow 3.3.2."""

import json
from collections.abc import Mapping
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server import clock
from xcom_server.api.params import invalid_param
from xcom_server.api.run_ids import RunIdRules
from xcom_server.api.v2.filters import in_utc
from xcom_server.storage.dags import Dag
from xcom_server.storage.runs import NewRun

_RESERVED_TYPES = (
    "backfill",
    "scheduled",
    "operator_triggered",
    "asset_triggered",
    "asset_materialization",
)

Dates = Mapping[str, Any]
"""The dates of a run by their names, each with the time zone that was sent."""


def dates_of(body: Mapping[str, Any]) -> Dates:
    """Return the dates of the run that a body describes."""
    logical_date = body["logical_date"]
    start, end = body.get("data_interval_start"), body.get("data_interval_end")
    if start is None or logical_date is None:
        start = end = logical_date
    return {
        "logical_date": logical_date,
        "data_interval_start": start,
        "data_interval_end": end,
        "run_after": body.get("run_after") or clock.now(),
    }


def new_run(
    dag_id: str,
    body: Mapping[str, Any],
    dates: Dates,
    *,
    dag: Dag | None,
    ids: RunIdRules,
    triggered_by: str,
    user_name: str | None,
) -> NewRun:
    """Return the run to store.

    `dag` is None for an unknown DAG. Raises BadRequestProblem for an id or a param that is not
    allowed.
    """
    if body.get("partition_key") is not None:
        raise BadRequestProblem(
            detail=f"Dag '{dag_id}' is not a partitioned Dag and does not accept a partition_key."
        )
    run_id = body.get("dag_run_id") or f"manual__{dates['run_after'].isoformat()}"
    _require_allowed(run_id, ids)
    conf = body.get("conf") or {}
    if error := invalid_param(_params(dag), conf):
        raise BadRequestProblem(detail=error)
    return NewRun(
        dag_id=dag_id,
        run_id=run_id,
        conf=json.dumps(conf, ensure_ascii=False),
        note=body.get("note") or None,
        triggered_by=triggered_by,
        triggering_user_name=user_name,
        **{name: date and in_utc(date) for name, date in dates.items()},
    )


def id_rules(pattern: str) -> RunIdRules:
    """Return the rules for ids; `pattern` is the setting `allowed_run_id_pattern`."""
    return RunIdRules(
        pattern, asset_type="asset_triggered", reserved=_RESERVED_TYPES, line_feed=True
    )


def _require_allowed(run_id: str, ids: RunIdRules) -> None:
    if ".." in run_id:
        raise BadRequestProblem(
            detail=f"The run_id '{run_id}' must not contain '..' to prevent path traversal"
        )
    if error := ids.error(run_id):
        raise BadRequestProblem(detail=error)


def _params(dag: Dag | None) -> Mapping[str, Any]:
    params: Mapping[str, Any] = json.loads(dag.definition).get("params", {}) if dag else {}
    return params
