"""Triggering DAG runs: the checks and the defaults of Airflow 2.10.5, in its order."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException

from xcom_server import errors
from xcom_server.api.params import invalid_param
from xcom_server.api.run_ids import RunIdRules
from xcom_server.api.v1 import data_intervals
from xcom_server.api.v1.run_schemas import NO_CONF, TriggerSchema, generated_id
from xcom_server.formats.strict_json import JsonObject
from xcom_server.observability import request_state
from xcom_server.settings import Settings
from xcom_server.storage.queries import WILDCARD, Filter
from xcom_server.storage.runs import DagRun, NewRun
from xcom_server.storage.store import XComStore

_RESERVED = ("backfill", "scheduled", "dataset_triggered")
_schema = TriggerSchema()


class Triggering:
    """Creates runs in a store."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._require_dag = settings.require_parents
        self._run_ids = RunIdRules(
            settings.allowed_run_id_pattern, asset_type="dataset_triggered", reserved=_RESERVED
        )

    def trigger(self, dag_id: str, body: JsonObject) -> DagRun:
        """Create a queued run and return it, with the offsets of the dates in the body.

        Raises BadRequestProblem for an invalid body, and ProblemException for an unknown or stale
        DAG and for a run that exists.
        """
        definition = self._definition(dag_id)
        run = _new_run(dag_id, _schema.load(body), body, definition)
        try:
            if detail := self._error(run, definition):
                self._refuse_existing(run)
                raise BadRequestProblem(detail=detail)
            stored = self._store.runs.trigger(_in_utc(run))
        except errors.RunExists as error:
            raise self._conflict(error, run) from None
        except errors.DagNotFound:
            raise _dag_not_found(dag_id) from None
        return stored._replace(**_dates(run))

    def _definition(self, dag_id: str) -> dict[str, Any]:
        """Return the definition of a DAG; an unknown one is registered later, unless required.

        Raises ProblemException for a DAG that is stale, or unknown and required.
        """
        try:
            dag = self._store.dags.get(dag_id)
        except errors.DagNotFound:
            if self._require_dag or dag_id == WILDCARD:
                raise _dag_not_found(dag_id) from None
            return {}
        if dag.is_stale:
            raise _dag_not_found(dag_id)
        definition: dict[str, Any] = json.loads(dag.definition)
        return definition

    def _error(self, run: NewRun, definition: dict[str, Any]) -> str | None:
        """Return the error text for an id that is not allowed or a `conf` that is not valid."""
        if run.run_id == WILDCARD:
            return f"'{WILDCARD}' stands for any DAG run and cannot be the ID of one"
        return self._run_ids.error(run.run_id) or invalid_param(
            definition.get("params") or {}, json.loads(run.conf)
        )

    def _refuse_existing(self, run: NewRun) -> None:
        """Raise RunExists, which Airflow reports before errors in the id and in `conf`."""
        same_id = self._is_stored(run.dag_id, run_id=run.run_id)
        same_date = self._is_stored(run.dag_id, logical_date=run.logical_date)
        if same_id or same_date:
            raise errors.RunExists(run.dag_id, run.run_id, same_id, same_date)

    def _is_stored(self, dag_id: str, **fields: Any) -> bool:
        """Return whether a run has these fields; a page without runs takes no step of a script."""
        filter_ = Filter({"dag_id": dag_id, **fields})
        return self._store.runs.list(filter_, limit=1, offset=1).total_entries > 0

    def _conflict(self, error: errors.RunExists, run: NewRun) -> ProblemException:
        """Return the error for a run that exists; Airflow compares the date of one with the id."""
        is_date = error.same_date
        if error.same_id and error.same_date:
            is_date = self._store.runs.peek(run.dag_id, run.run_id).logical_date == run.logical_date
        what = f"logical date: '{run.logical_date}'" if is_date else f"ID: '{run.run_id}'"
        return ProblemException(
            409, "Conflict", f"DAGRun with DAG ID: '{run.dag_id}' and DAGRun {what} already exists"
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


def _dag_not_found(dag_id: str) -> ProblemException:
    return ProblemException(404, "DAG not found", f"DAG with dag_id: '{dag_id}' not found")
