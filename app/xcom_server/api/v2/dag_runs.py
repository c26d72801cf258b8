"""The operations on DAG runs of v2, which emulate Airflow 3.3.2."""

import functools
from collections.abc import Callable, Collection, Sequence
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response, request

from xcom_server.api import json_io
from xcom_server.api.authorization import visible
from xcom_server.api.definitions import dag_to_trigger
from xcom_server.api.update_masks import masked
from xcom_server.api.v2 import cursors, run_filters, triggering
from xcom_server.api.v2.schemas_runs import dump_run, runs_as_json
from xcom_server.api.v2.schemas_task_instances import dump_instance
from xcom_server.api.v2.waiting import Waiting
from xcom_server.errors import DagNotFound, RunNotFound
from xcom_server.observability import request_state
from xcom_server.settings import Settings
from xcom_server.storage.models import UNCHANGED
from xcom_server.storage.queries import MAX_ROWS, NO_LIMIT, WILDCARD, Filter, Page
from xcom_server.storage.runs import DagRun, TaskStates
from xcom_server.storage.store import XComStore

_NOT_STARTED = (None, "scheduled", "queued", "restarting", "up_for_retry")
_ACTIVE = ("running", "deferred", "up_for_reschedule", "awaiting_input")

_TASK_STATES: dict[str, TaskStates] = {
    "queued": {},
    **{
        state: dict.fromkeys(_NOT_STARTED, "skipped") | dict.fromkeys(_ACTIVE, state)
        for state in ("success", "failed")
    },
}
"""The new state of a run -> the new states of its task instances."""

_FAILED = ("failed", "upstream_failed")


class DagRunApi:
    """The handlers of the operations on DAG runs in openapi/v2.yaml.

    They return the documented responses. They raise BadRequestProblem, ProblemException and the
    errors of the store, which the `errors` module converts to responses.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._runs = store.runs
        self._settings = settings
        self._waiting = Waiting(store, settings)
        self._ids = triggering.id_rules(settings.allowed_run_id_pattern)

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        handlers: dict[str, Callable[..., Response]] = {
            "get_dag_runs": self.list_runs,
            "get_list_dag_runs_batch": self.list_batch,
            "trigger_dag_run": self.trigger_run,
            "get_dag_run": self.get_run,
            "patch_dag_run": self.patch_run,
            "delete_dag_run": self.delete_run,
            "clear_dag_run": self.clear_run,
            "wait_dag_run_until_finished": self.wait,
        }
        return {name: _naming_run(handler) for name, handler in handlers.items()}

    def list_runs(
        self,
        dag_id: str,
        limit: int,
        offset: int,
        order_by: Sequence[str] = (),
        cursor: str | None = None,
        **params: Any,
    ) -> Response:
        """Return a page of runs; `~` matches any DAG.

        A `limit` above the maximum page size is lowered to it.
        """
        if dag_id != WILDCARD:
            self._store.dags.get(dag_id)
        run_filters.refuse_partition_dates(dag_id, params)
        page, totals = cursors.read_page(
            self._runs.list,
            visible(dag_id, conditions=run_filters.of_query(params)),
            limit=min(limit, self._settings.maximum_page_limit),
            offset=offset,
            order=run_filters.RULES.order(order_by),
            cursor=cursor,
        )
        return _collection(page, totals)

    def list_batch(self, dag_id: str, body: dict[str, Any]) -> Response:
        """Return a page of the runs that a body selects; it has at most MAX_ROWS."""
        order_by = body.get("order_by")
        page = self._runs.list(
            visible(conditions=run_filters.of_batch(body)),
            limit=min(body["page_limit"], MAX_ROWS),
            offset=body["page_offset"],
            order=run_filters.BATCH_RULES.order([] if order_by is None else [order_by]),
        )
        return _collection(page, cursors.no_cursor(page.total_entries))

    def trigger_run(self, dag_id: str, body: dict[str, Any]) -> Response:
        """Store a new run, and return it with the time zones that were sent."""
        try:
            dates = triggering.dates_of(body)
            new = triggering.new_run(
                dag_id,
                body,
                dates,
                dag=dag_to_trigger(
                    self._store.dags, dag_id, is_required=self._settings.require_parents
                ),
                ids=self._ids,
                triggered_by="ui" if "Referer" in request.headers else "rest_api",
                user_name=request_state.current().user_name,
            )
            run = self._runs.trigger(new)
        except DagNotFound:
            raise ProblemException(404, detail=f"Dag with dag_id: '{dag_id}' not found") from None
        return json_io.compact_json(dump_run(run._replace(**dates)))

    def get_run(self, dag_id: str, dag_run_id: str) -> Response:
        """Return one run."""
        return json_io.compact_json(dump_run(self._runs.get(dag_id, dag_run_id)))

    def patch_run(
        self,
        dag_id: str,
        dag_run_id: str,
        body: dict[str, Any],
        update_mask: Sequence[str] | None = None,
    ) -> Response:
        """Change the state, the note or both, and return the run.

        An empty note is stored as null. Unknown fields in the mask have no effect.
        """
        given = masked(body, update_mask)
        note = given["note"] or None if "note" in given else UNCHANGED
        if state := given.get("state"):
            run = self._runs.set_state(dag_id, dag_run_id, state, _TASK_STATES[state], note=note)
        elif note is UNCHANGED:
            run = self._runs.peek(dag_id, dag_run_id)
        else:
            run = self._runs.set_note(dag_id, dag_run_id, note)
        return json_io.compact_json(dump_run(run))

    def delete_run(self, dag_id: str, dag_run_id: str) -> Response:
        """Delete a run that is not running."""
        self._runs.delete(dag_id, dag_run_id, even_if_running=False)
        return Response(status=204, mimetype=json_io.JSON)

    def clear_run(self, dag_id: str, dag_run_id: str, body: dict[str, Any]) -> Response:
        """Clear a run, and return it; for a dry run, return the task instances instead."""
        only_states = _FAILED if body["only_failed"] else () if body["only_new"] else None
        if body["dry_run"]:
            return self._clearable(dag_id, dag_run_id, only_states)
        note = UNCHANGED if body.get("note") is None else body["note"] or None
        run = self._runs.clear(
            dag_id, dag_run_id, only_states=only_states, restarting=True, note=note
        )
        return json_io.compact_json(dump_run(run))

    def _clearable(
        self, dag_id: str, dag_run_id: str, only_states: Collection[str] | None
    ) -> Response:
        """Return the task instances of a run in some states."""
        self._runs.peek(dag_id, dag_run_id)
        of_run = Filter({"dag_id": dag_id, "run_id": dag_run_id})
        found = self._store.task_instances.list(of_run, limit=NO_LIMIT).entries
        listed = [
            dump_instance(each)
            for each in found
            if only_states is None or each.state in only_states
        ]
        return json_io.compact_json({"task_instances": listed, "total_entries": len(listed)})

    def wait(
        self, dag_id: str, dag_run_id: str, interval: float, result: Sequence[str] | None = None
    ) -> Response:
        """Return the states of a run until it is finished, one on each line."""
        return self._waiting.response(dag_id, dag_run_id, interval, result)


def _naming_run(handler: Callable[..., Response]) -> Callable[..., Response]:
    """Return a handler whose 404 for a missing run has the text of the operations on runs."""

    @functools.wraps(handler)
    def handled(*args: Any, **arguments: Any) -> Response:
        try:
            return handler(*args, **arguments)
        except RunNotFound as error:
            raise ProblemException(
                404,
                detail=f"The DagRun with dag_id: `{error.dag_id}` and run_id: `{error.run_id}`"
                " was not found",
            ) from None

    return handled


def _collection(page: Page[DagRun], totals: dict[str, Any]) -> Response:
    return json_io.compact_json_with("dag_runs", runs_as_json(page.entries), totals)
