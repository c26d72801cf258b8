"""Triggering DAG runs: the checks and the defaults of Airflow 2.10.5, in its order."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException

from xcom_server import errors
from xcom_server.api import json_io
from xcom_server.api.definitions import dag_to_trigger
from xcom_server.api.params import invalid_param
from xcom_server.api.run_ids import RunIdRules
from xcom_server.api.v1 import data_intervals
from xcom_server.api.v1.schemas_runs import NO_CONF, TriggerSchema, generated_id
from xcom_server.formats.strict_json import JsonObject
from xcom_server.observability import request_state
from xcom_server.settings import Settings
from xcom_server.storage.queries import WILDCARD
from xcom_server.storage.runs import DagRun, NewRun
from xcom_server.storage.store import XComStore

_RESERVED = ("backfill", "scheduled", "dataset_triggered")
_schema = TriggerSchema()


class Triggering:
    """Creates runs in a store."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._dags = store.dags
        self._runs = store.runs
        self._require_dag = settings.require_parents
        self._run_ids = RunIdRules(
            settings.allowed_run_id_pattern, asset_type="dataset_triggered", reserved=_RESERVED
        )

    def trigger(self, dag_id: str, body: JsonObject) -> DagRun:
        """Create a queued run and return it, with the offsets of the dates in the body.

        Raises BadRequestProblem for an invalid body, and ProblemException for an unknown or stale
        DAG and for a run that exists, and ResponseTooLarge for a `conf` that v1 could not return.
        """
        try:
            dag = dag_to_trigger(self._dags, dag_id, is_required=self._require_dag)
            definition: dict[str, Any] = json.loads(dag.definition) if dag else {}
            run = _new_run(dag_id, _schema.load(body), body, definition)
            if detail := self._error(run, definition):
                self._runs.require_new(_in_utc(run))  # Airflow reports a run that exists first
                raise BadRequestProblem(detail=detail)
            json_io.require_fit(run.conf)  # before it is stored
            stored = self._runs.trigger(_in_utc(run))
        except errors.RunExists as error:
            what = f"logical date: '{run.logical_date}'" if error.by_date else f"ID: '{run.run_id}'"
            detail = f"DAGRun with DAG ID: '{dag_id}' and DAGRun {what} already exists"
            raise ProblemException(409, "Conflict", detail) from None
        except errors.DagNotFound:
            detail = f"DAG with dag_id: '{dag_id}' not found"
            raise ProblemException(404, "DAG not found", detail) from None
        return stored._replace(**_dates(run))

    def _error(self, run: NewRun, definition: dict[str, Any]) -> str | None:
        """Return the error text for an id that is not allowed or a `conf` that is not valid."""
        if run.run_id == WILDCARD:
            return f"'{WILDCARD}' stands for any DAG run and cannot be the ID of one"
        return self._run_ids.error(run.run_id) or invalid_param(
            definition.get("params") or {}, json.loads(run.conf)
        )


def _new_run(
    dag_id: str, params: dict[str, Any], body: JsonObject, definition: dict[str, Any]
) -> NewRun:
    date = params["logical_date"]
    start, end = params["data_interval_start"], params["data_interval_end"]
    if start is None:
        zone = definition.get("schedule_timezone") or definition.get("timezone") or "UTC"
        start, end = data_intervals.of_manual_run(definition.get("schedule"), zone, date)
    return NewRun(
        dag_id=dag_id,
        run_id=params["run_id"] or generated_id(date),
        logical_date=date,
        run_after=date,
        data_interval_start=start,
        data_interval_end=end,
        conf=body.raw("conf") if "conf" in body else NO_CONF,
        note=params["note"] or None,
        triggering_user_name=request_state.current().user_name,
    )


def _dates(run: NewRun) -> dict[str, Any]:
    return {name: value for name, value in vars(run).items() if isinstance(value, datetime)}


def _in_utc(run: NewRun) -> NewRun:
    return replace(run, **{name: date.astimezone(UTC) for name, date in _dates(run).items()})
