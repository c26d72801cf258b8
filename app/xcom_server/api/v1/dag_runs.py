"""The operations of v1 on DAG runs, which emulate Airflow 2.10.5."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response
from pydantic_core import PydanticSerializationError

from xcom_server import errors
from xcom_server.api import json_io, work_memory
from xcom_server.api.authorization import visible
from xcom_server.api.conditions import one_of
from xcom_server.api.ordering import order_of
from xcom_server.api.serialization import compile_dump
from xcom_server.api.v1 import listing
from xcom_server.api.v1.schemas_runs import (
    ClearSchema,
    DagRunSchema,
    ListRunsSchema,
    NoteSchema,
    StateSchema,
    runs_as_json,
)
from xcom_server.api.v1.schemas_task_instances import TaskInstanceReferenceSchema
from xcom_server.api.v1.triggering import Triggering
from xcom_server.formats.strict_json import JsonObject
from xcom_server.settings import Settings
from xcom_server.states import TASK_STATES
from xcom_server.storage.queries import MAX_ROWS, NO_LIMIT, Condition, Filter, Order
from xcom_server.storage.runs import DagRun, TaskStates
from xcom_server.storage.store import XComStore

_SCHEMA = "DAGRunSchema"  # the name in Airflow's error texts
_dump = compile_dump(DagRunSchema())
_dump_references = compile_dump(TaskInstanceReferenceSchema())

_ORDER = {
    "id": "id",
    "state": "state",
    "dag_id": "dag_id",
    "execution_date": "logical_date",
    "dag_run_id": "run_id",
    "start_date": "start_date",
    "end_date": "end_date",
    "updated_at": "updated_at",
    "external_trigger": "external_trigger",
    "conf": "conf",
}
"""The names in `order_by` -> fields of the store."""

_TASK_STATES: dict[str, TaskStates] = {
    "success": dict.fromkeys({None, *TASK_STATES} - {"success"}, "success"),
    "failed": dict.fromkeys(("running", "deferred", "up_for_reschedule"), "failed")
    | dict.fromkeys((None, "scheduled", "queued", "restarting", "up_for_retry"), "skipped")
    | {"removed": None},
    "queued": {},
}
"""New state of a run -> the changes of its task instances."""


class DagRunApi:
    """The handlers of the operations on DAG runs in openapi/v1.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._runs = store.runs
        self._instances = store.task_instances
        self._settings = settings
        self._triggering = Triggering(store, settings)

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_dag_runs": self.list_runs,
            "get_dag_runs_batch": self.list_batch,
            "post_dag_run": self.trigger_run,
            "get_dag_run": self.get_run,
            "update_dag_run_state": self.update_state,
            "set_dag_run_note": self.set_note,
            "clear_dag_run": self.clear_run,
            "delete_dag_run": self.delete_run,
        }

    def list_runs(
        self,
        dag_id: str,
        limit: int,
        offset: int = 0,
        state: list[str] | None = None,
        order_by: str = "id",
        fields: list[str] | None = None,
        **ranges: datetime,
    ) -> Response:
        """Return a page of runs; `~` matches any DAG."""
        conditions = (*one_of("state", state), *listing.ranges(ranges))
        size = listing.page_size(limit, self._settings)
        return self._page(dag_id, conditions, size, offset, order_by, fields)

    def list_batch(self, body: JsonObject) -> Response:
        """Return a page of runs; the filters are in the body, and a page can have MAX_ROWS rows."""
        form = ListRunsSchema().load(body)
        conditions = (
            *one_of("dag_id", form["dag_ids"]),
            *one_of("state", form["states"]),
            *listing.ranges(form["ranges"]),
        )
        size = min(form["page_limit"], MAX_ROWS)
        return self._page(None, conditions, size, form["page_offset"], form["order_by"])

    def _page(
        self,
        dag_id: str | None,
        conditions: tuple[Condition, ...],
        limit: int,
        offset: int,
        order_by: str,
        fields: list[str] | None = None,
    ) -> Response:
        filter_ = visible(dag_id, conditions=conditions)
        order = [order_of(order_by, _ORDER), Order("id")]  # ties ascend, as in SQLite
        page = self._runs.list(filter_, limit=limit, offset=offset, order=order)
        confs = [run.conf for run in page.entries]
        work_memory.reserve(confs)
        total = {"total_entries": page.total_entries}
        if json_io.are_large(confs):
            each_row = (
                listing.selected(_dump([run]), fields, _SCHEMA, collection=True)[0]
                for run in page.entries
            )
            return json_io.bounded_rows("dag_runs", each_row, total)
        if fields is None and page.entries:
            with suppress(PydanticSerializationError):  # a lone surrogate
                return json_io.indented_json_with("dag_runs", runs_as_json(page.entries), total)
        rows = listing.selected(_dump(page.entries), fields, _SCHEMA, collection=True)
        return _json({"dag_runs": rows, **total}, page.entries)

    def trigger_run(self, dag_id: str, body: JsonObject) -> Response:
        """Create a queued run; the response repeats the dates as they were sent."""
        return _response(self._triggering.trigger(dag_id, body))

    def get_run(self, dag_id: str, dag_run_id: str, fields: list[str] | None = None) -> Response:
        """Return a run."""
        return _response(self._runs.get(dag_id, dag_run_id), fields)

    def update_state(self, dag_id: str, dag_run_id: str, body: JsonObject) -> Response:
        """Set the state of a run and of its task instances."""
        self._require(dag_id, dag_run_id)
        state = StateSchema().load(body)["state"]
        return _response(self._runs.set_state(dag_id, dag_run_id, state, _TASK_STATES[state]))

    def set_note(self, dag_id: str, dag_run_id: str, body: JsonObject) -> Response:
        """Set the note of a run."""
        self._require(dag_id, dag_run_id)
        return _response(self._runs.set_note(dag_id, dag_run_id, NoteSchema().load(body)["note"]))

    def clear_run(self, dag_id: str, dag_run_id: str, body: JsonObject) -> Response:
        """Clear a run and return it, or for a dry run its task instances."""
        self._require(dag_id, dag_run_id, words="in dag  ")  # Airflow's text has three spaces
        if ClearSchema().load(body)["dry_run"]:
            of_run = Filter({"dag_id": dag_id, "run_id": dag_run_id})
            found = self._instances.list(of_run, limit=NO_LIMIT).entries
            return json_io.indented_json_fast({"task_instances": _dump_references(found)})
        return _response(self._runs.clear(dag_id, dag_run_id, restarting=False))

    def delete_run(self, dag_id: str, dag_run_id: str) -> Response:
        """Delete a run with its task instances and entries."""
        try:
            self._runs.delete(dag_id, dag_run_id, even_if_running=True)
        except errors.RunNotFound:
            detail = f"DAGRun with DAG ID: '{dag_id}' and DagRun ID: '{dag_run_id}' not found"
            raise ProblemException(404, "Not Found", detail) from None
        return Response(status=204, mimetype=json_io.JSON)

    def _require(self, dag_id: str, dag_run_id: str, words: str = "in dag") -> None:
        """Raise ProblemException for an unknown run: its 404 precedes the errors of a body."""
        try:
            self._runs.peek(dag_id, dag_run_id)
        except errors.RunNotFound:
            title = f"Dag Run id {dag_run_id} not found {words} {dag_id}"
            raise ProblemException(404, title) from None


def _response(run: DagRun, fields: list[str] | None = None) -> Response:
    work_memory.reserve([run.conf])
    return _json(listing.selected(_dump([run]), fields, _SCHEMA)[0], [run])


def _json(data: dict[str, Any], runs: list[DagRun]) -> Response:
    """Return the response for runs; floats in `conf` may need the slower function."""
    if json_io.are_large(run.conf for run in runs):
        return json_io.bounded_json(data)
    if json_io.have_plain_floats([run.conf for run in runs]):
        return json_io.indented_json_fast(data)
    return json_io.indented_json(data)
