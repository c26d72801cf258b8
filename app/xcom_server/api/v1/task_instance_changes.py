"""The operations of v1 that change task instances, which emulate Airflow 2.10.5."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server import errors
from xcom_server.api import json_io, task_selection
from xcom_server.api.conditions import MAX_VALUES, one_of, refuse_many
from xcom_server.api.definitions import definition_of
from xcom_server.api.serialization import compile_dump
from xcom_server.api.v1 import listing
from xcom_server.api.v1.schemas_task_instances import (
    ClearTaskInstancesSchema,
    NewStateSchema,
    TaskInstanceNoteSchema,
    TaskInstanceReferenceSchema,
    one_instance_json,
)
from xcom_server.formats.strict_json import JsonObject
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED
from xcom_server.storage.queries import NO_LIMIT, Condition, Filter
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskInstance, TaskKey
from xcom_server.task_graph import Task

_dump_references = compile_dump(TaskInstanceReferenceSchema())


class TaskInstanceChangeApi:
    """The handlers of the operations that change task instances."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "patch_task_instance": self.set_state,
            "patch_mapped_task_instance": self.set_state,
            "set_task_instance_note": self.set_note,
            "set_mapped_task_instance_note": self.set_note,
            "post_clear_task_instances": self.clear,
        }

    def set_state(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        body: JsonObject,
        map_index: int = UNMAPPED,
    ) -> Response:
        """Set the state of a task instance; as in Airflow 2, the response is then `{}`.

        Failed task instances of later tasks are cleared, and their run is queued again.
        """
        form = NewStateSchema().load(body)
        tasks = self._tasks_with(dag_id, task_id)
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        try:
            instance = self._store.task_instances.get(key)
        except errors.TaskInstanceNotFound:
            what = f"task {task_id!r} on DAG run with ID {dag_run_id!r}"
            raise ProblemException(
                404, "Not Found", f"Task instance not found for {what}"
            ) from None
        if form["dry_run"]:
            return json_io.indented_json_fast(_dump_references([instance])[0])
        self._store.task_instances.set_state([key], form["new_state"])
        self._clear_failed_after(tasks, key)
        return json_io.indented_json_fast({})

    def set_note(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        body: JsonObject,
        map_index: int = UNMAPPED,
    ) -> Response:
        """Set the note of a task instance, and return the task instance."""
        note = TaskInstanceNoteSchema().load(body)["note"]
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        for changed in self._store.task_instances.set_note([key], note):
            return one_instance_json(changed)
        raise ProblemException(
            404,
            f"Task Instance not found for dag_id={dag_id}, run_id={dag_run_id}, task_id={task_id}",
        )

    def clear(self, dag_id: str, body: JsonObject) -> Response:
        """Clear task instances of one run or of a range of dates, and return their identities."""
        form = ClearTaskInstancesSchema().load(body)
        conditions = (*self._of_tasks(dag_id, form), *self._of_runs(dag_id, form), *_states(form))
        filter_ = Filter({"dag_id": dag_id}, conditions=conditions)
        found = task_selection.matching(self._store.task_instances, filter_)
        if not form["dry_run"]:
            self._clear(found, reset_runs=form["reset_dag_runs"])
        return json_io.indented_json_fast({"task_instances": _dump_references(found)})

    def _clear(self, found: Sequence[TaskInstance], *, reset_runs: bool) -> None:
        keys = [each.task_key for each in found]
        self._store.task_instances.clear(keys, restarting=False, reset_runs=reset_runs)

    def _clear_failed_after(self, tasks: Sequence[Task], key: TaskKey) -> None:
        """Clear the failed task instances of later tasks in the same run."""
        later = task_selection.relatives(tasks, [key.task_id], upstream=False, downstream=True)
        if later:
            of_later = task_selection.of_tasks(sorted(later))
            ids = {"dag_id": key.dag_id, "run_id": key.run_id}
            filter_ = Filter(ids, conditions=(of_later, task_selection.FAILED))
            failed = self._store.task_instances.list(filter_, limit=NO_LIMIT).entries
            self._clear(failed, reset_runs=True)

    def _tasks(self, dag_id: str) -> list[Task]:
        """Return the tasks of a DAG.  Raises DagNotFound."""
        return definition_of(self._store.dags, dag_id).tasks

    def _tasks_with(self, dag_id: str, task_id: str) -> list[Task]:
        """Return the tasks of a DAG; raise ProblemException if this one is not among them."""
        try:
            tasks = self._tasks(dag_id)
        except errors.DagNotFound:
            raise ProblemException(404, "DAG not found", f"DAG {dag_id!r} not found") from None
        if task_id not in (task["task_id"] for task in tasks):
            detail = f"Task {task_id!r} not found in DAG {dag_id!r}"
            raise ProblemException(404, "Task not found", detail)
        return tasks

    def _of_tasks(self, dag_id: str, form: dict[str, Any]) -> tuple[Condition, ...]:
        """Return the condition that a task is to be cleared.

        Raises ProblemException for an unknown DAG, and BadRequestProblem for too many tasks.
        """
        try:
            tasks = self._tasks(dag_id)
        except errors.DagNotFound:
            raise ProblemException(404, f"Dag id {dag_id} not found") from None
        given = form["task_ids"]
        if given is None:
            return ()
        refuse_many("task_ids", given, MAX_VALUES)
        related = task_selection.relatives(
            tasks, given, upstream=form["include_upstream"], downstream=form["include_downstream"]
        )
        return (task_selection.of_tasks(sorted({*given, *related})),)

    def _of_runs(self, dag_id: str, form: dict[str, Any]) -> tuple[Condition, ...]:
        """Return the conditions that a run is to be cleared.

        Raises ProblemException for an unknown run.
        """
        run_id, start, end = form["dag_run_id"], form["start_date"], form["end_date"]
        past, future = form["include_past"], form["include_future"]
        if run_id is not None:
            start = end = self._run_date(dag_id, run_id)
            if not past and not future:
                return one_of("run_id", [run_id])
        bounds = {
            "execution_date_gte": None if past else start,
            "execution_date_lte": None if future else end,
        }
        return listing.ranges({name: date for name, date in bounds.items() if date is not None})

    def _run_date(self, dag_id: str, run_id: str) -> datetime:
        try:
            return self._store.runs.peek(dag_id, run_id).run_date
        except errors.RunNotFound:
            title = f"Dag Run id {run_id} not found in dag {dag_id}"
            raise ProblemException(404, title) from None


def _states(form: dict[str, Any]) -> tuple[Condition, ...]:
    if form["only_running"]:
        return (task_selection.RUNNING,)
    return (task_selection.FAILED,) if form["only_failed"] else ()
