"""The operations that change or clear task instances in v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response

from xcom_server.api import task_selection
from xcom_server.api.conditions import MAX_VALUES, refuse_many
from xcom_server.api.definitions import definition_of
from xcom_server.api.task_selection import Marker
from xcom_server.api.update_masks import masked
from xcom_server.api.v2 import cursors
from xcom_server.api.v2.filters import in_utc
from xcom_server.api.v2.task_instances import collection, missing_text, of_task
from xcom_server.errors import RunNotFound
from xcom_server.settings import Settings
from xcom_server.storage.models import UNCHANGED
from xcom_server.storage.queries import Condition, Filter, Page
from xcom_server.storage.runs import DagRun
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskInstance, TaskKey
from xcom_server.task_graph import Task

RELATED = ("include_upstream", "include_downstream")
RANGE = ("include_past", "include_future")


class TaskInstanceChangeApi:
    """The handlers of the operations in openapi/v2.yaml that change task instances.

    They return the documented responses. They raise BadRequestProblem, ProblemException and the
    errors of the store, which the `errors` module converts to responses.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._instances = store.task_instances

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "patch_task_instance": self.patch,
            "patch_task_instance_by_map_index": self.patch,
            "patch_task_instance_dry_run": self.patch_dry_run,
            "patch_task_instance_dry_run_by_map_index": self.patch_dry_run,
            "post_clear_task_instances": self.clear,
        }

    def patch(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        body: dict[str, Any],
        map_index: int | None = None,
        update_mask: Sequence[str] | None = None,
    ) -> Response:
        """Change the state, the note or both, and return the task instances.

        Without an index all instances of a mapped task are changed. An empty note is stored as
        null. Unknown fields in the mask have no effect.
        """
        tasks = self._tasks_with(dag_id, task_id)
        keys = self._keys(TaskKey(dag_id, dag_run_id, task_id), map_index)
        given = masked(body, update_mask)
        if "new_state" in given:
            self._set_state(tasks, keys, given["new_state"], body, map_index)
        if "note" in given and (update_mask or given["note"] is not None):
            self._instances.set_note(keys, given["note"] or None)
        return _response(map(self._instances.get, keys))

    def patch_dry_run(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        body: dict[str, Any],
        map_index: int | None = None,
        update_mask: Sequence[str] | None = None,
    ) -> Response:
        """Return the task instances that the same change of the state would affect."""
        tasks = self._tasks_with(dag_id, task_id)
        keys = self._keys(TaskKey(dag_id, dag_run_id, task_id), map_index)
        if "new_state" in masked(body, update_mask):
            return _response(self._affected(tasks, keys[0], body["new_state"], body, map_index))
        return _response(map(self._instances.get, keys))

    def clear(self, dag_id: str, body: dict[str, Any]) -> Response:
        """Clear task instances of one run, or of all runs in a range, and return them."""
        found = self._list(dag_id, self._cleared(dag_id, body))
        if body["dry_run"]:
            return _response(found)
        if body["prevent_running_task"] and any(each.state == "running" for each in found):
            raise ProblemException(409, detail=_RUNNING_TEXT)
        keys = [each.task_key for each in found]
        cleared = self._instances.clear(
            keys,
            restarting=True,
            reset_runs=body["reset_dag_runs"],
            note=UNCHANGED if body.get("note") is None else body["note"] or None,
        )
        by_key = {each.task_key: each for each in cleared}
        return _response(by_key[key] for key in keys if key in by_key)

    def _cleared(self, dag_id: str, body: dict[str, Any]) -> list[Condition]:
        """Return the conditions for the task instances that are cleared."""
        tasks = self._tasks(dag_id)
        conditions = [*self._of_cleared_runs(dag_id, body)]
        if body.get("task_ids"):
            conditions.append(task_selection.of_tasks(_markers(tasks, body)))
        if body["only_failed"]:
            conditions.append(task_selection.FAILED)
        if body["only_running"]:
            conditions.append(task_selection.RUNNING)
        return conditions

    def _set_state(
        self,
        tasks: Sequence[Task],
        keys: Sequence[TaskKey],
        state: str,
        body: dict[str, Any],
        map_index: int | None,
    ) -> None:
        """Set the state of task instances, and clear failed ones of later tasks.

        Raises a 409 if all have this state already.
        """
        first = keys[0]
        affected = self._affected(tasks, first, state, body, map_index)
        if not affected:
            raise ProblemException(
                409, detail=f"Task id {first.task_id} is already in {state} state"
            )
        later = task_selection.relatives(tasks, [first.task_id], upstream=False, downstream=True)
        later -= {each.task_id for each in affected}
        of_later = task_selection.of_tasks(sorted(later))
        conditions = [*self._of_runs(first, body), of_later, task_selection.FAILED]
        failed = self._list(first.dag_id, conditions) if later else []
        self._instances.set_state([each.task_key for each in affected], state)
        if failed:
            keys = [each.task_key for each in failed]
            self._instances.clear(keys, restarting=True, reset_runs=True)

    def _affected(
        self,
        tasks: Sequence[Task],
        key: TaskKey,
        state: str,
        body: dict[str, Any],
        map_index: int | None,
    ) -> list[TaskInstance]:
        """Return the task instances whose state would change."""
        marker: Marker = key.task_id if map_index is None else (key.task_id, map_index)
        upstream, downstream = (body[name] for name in RELATED)
        related = task_selection.relatives(
            tasks, [key.task_id], upstream=upstream, downstream=downstream
        )
        of_all = task_selection.of_tasks([marker, *sorted(related)])
        found = self._list(key.dag_id, [*self._of_runs(key, body), of_all])
        return [each for each in found if each.state != state]

    def _of_runs(self, key: TaskKey, body: dict[str, Any]) -> tuple[Condition, ...]:
        """Return the conditions for the runs that a change affects."""
        run = self._store.runs.peek(key.dag_id, key.run_id)
        past, future = (body[name] for name in RANGE)
        return task_selection.of_run(run, past=past, future=future)

    def _of_cleared_runs(self, dag_id: str, body: dict[str, Any]) -> Iterable[Condition]:
        """Return the conditions for the runs whose task instances are cleared.

        Raises a 404 for an unknown run, and BadRequestProblem for a range around a run without a
        logical date.
        """
        past, future = (body[name] for name in RANGE)
        if body.get("dag_run_id") is not None:
            run = self._run(dag_id, body["dag_run_id"])
            if (past or future) and run.logical_date is None:
                raise BadRequestProblem(detail=_NO_DATE_TEXT)
            return task_selection.of_run(run, past=past, future=future)
        start, end = (body.get(name) and in_utc(body[name]) for name in ("start_date", "end_date"))
        return task_selection.between(None if past else start, None if future else end)

    def _run(self, dag_id: str, run_id: str) -> DagRun:
        try:
            return self._store.runs.peek(dag_id, run_id)
        except RunNotFound:
            raise ProblemException(
                404, detail=f"Dag Run id {run_id} not found in dag {dag_id}"
            ) from None

    def _tasks(self, dag_id: str) -> list[Task]:
        return definition_of(self._store.dags, dag_id).tasks

    def _tasks_with(self, dag_id: str, task_id: str) -> list[Task]:
        """Return the tasks of a DAG; raise a 404 unless one has this id."""
        tasks = self._tasks(dag_id)
        if task_id not in [task["task_id"] for task in tasks]:
            raise ProblemException(404, detail=f"Task '{task_id}' not found in Dag '{dag_id}'")
        return tasks

    def _keys(self, key: TaskKey, map_index: int | None) -> list[TaskKey]:
        """Return the keys of the instances of a task, or of the one with an index.

        Raises a 404 without any; in Airflow its detail is a list by mistake.
        """
        found = task_selection.matching(self._instances, of_task(*key[:3]))
        keys = sorted(each.task_key for each in found if map_index in (None, each.map_index))
        if not keys:
            missing = missing_text(key).replace(f"`{key.map_index}`", f"`{map_index}`")
            raise ProblemException(404, detail=[missing])
        return keys

    def _list(self, dag_id: str, conditions: Iterable[Condition]) -> list[TaskInstance]:
        filter_ = Filter({"dag_id": dag_id}, conditions=tuple(conditions))
        return task_selection.matching(self._instances, filter_)


_NO_DATE_TEXT = (
    "Cannot use include_past or include_future with no logical_date(e.g. manually or"
    " asset-triggered)."
)
_RUNNING_TEXT = (
    "AirflowClearRunningTaskException: Disable 'prevent_running_task' to proceed, or wait until the"
    " task is not running, queued, or scheduled state."
)


def _markers(tasks: Sequence[Task], body: dict[str, Any]) -> list[Marker]:
    """Return the tasks that a body names, with their relatives.

    Raises BadRequestProblem for too many tasks.
    """
    refuse_many("task_ids", body["task_ids"], MAX_VALUES)
    given: list[Marker] = [
        each if isinstance(each, str) else (each[0], each[1]) for each in body["task_ids"]
    ]
    upstream, downstream = (body[name] for name in RELATED)
    named = [each if isinstance(each, str) else each[0] for each in given]
    related = task_selection.relatives(tasks, named, upstream=upstream, downstream=downstream)
    return [*given, *sorted(related)]


def _response(found: Iterable[TaskInstance]) -> Response:
    records = [*found]
    return collection(Page(records, len(records)), cursors.no_cursor(len(records)))
