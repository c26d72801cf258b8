"""The operations that read or delete task instances in v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response

from xcom_server.api import json_io, work_memory
from xcom_server.api.authorization import visible
from xcom_server.api.definitions import definition_of
from xcom_server.api.v2 import cursors, task_filters
from xcom_server.api.v2.schemas_task_instances import dump_instance, dump_try
from xcom_server.errors import RunNotFound, TaskInstanceNotFound
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED
from xcom_server.storage.queries import MAX_ROWS, WILDCARD, Comparison, Filter, Page
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskInstance, TaskKey

_PART = 500  # task instances that become JSON at once
_BY_MAP_INDEX = ("map_index",)  # the default of `order_by`


class TaskInstanceApi:
    """The handlers of the operations on task instances in openapi/v2.yaml, without changes.

    They return the documented responses. They raise BadRequestProblem, ProblemException and the
    errors of the store, which the `errors` module converts to responses.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._instances = store.task_instances
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_task_instances": self.list_instances,
            "get_task_instances_batch": self.list_batch,
            "get_task_instance": self.get_instance,
            "get_mapped_task_instance": self.get_mapped,
            "get_mapped_task_instances": self.list_mapped,
            "get_task_instance_tries": self.list_tries,
            "get_mapped_task_instance_tries": self.list_tries,
            "get_task_instance_try_details": self.get_try,
            "get_mapped_task_instance_try_details": self.get_try,
            "delete_task_instance": self.delete_instance,
        }

    def list_instances(
        self,
        dag_id: str,
        dag_run_id: str,
        limit: int,
        offset: int,
        order_by: Sequence[str] = _BY_MAP_INDEX,
        task_id: str | None = None,
        cursor: str | None = None,
        **params: Any,
    ) -> Response:
        """Return a page of task instances; `~` matches any DAG, and then any run.

        A `limit` above the maximum page size is lowered to it.
        """
        self._require_run(dag_id, dag_run_id)
        conditions = (*task_filters.of_query(params), *task_filters.is_task(task_id))
        filter_ = visible(dag_id, dag_run_id, conditions=conditions)
        return self._page(filter_, limit, offset, order_by, cursor)

    def list_batch(self, dag_id: str, dag_run_id: str, body: dict[str, Any]) -> Response:
        """Return a page of the task instances that a body selects; it has at most MAX_ROWS."""
        order_by, limit = body.get("order_by"), min(body["page_limit"], MAX_ROWS)
        work_memory.reserve_rows(limit)
        page = self._instances.list(
            visible(conditions=task_filters.of_batch(body)),
            limit=limit,
            offset=body["page_offset"],
            order=task_filters.BATCH_RULES.order([order_by] if order_by else []),
        )
        return collection(page, cursors.no_cursor(page.total_entries))

    def list_mapped(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        limit: int,
        offset: int,
        order_by: Sequence[str] = _BY_MAP_INDEX,
        **params: Any,
    ) -> Response:
        """Return a page of the instances of a mapped task, which has none before it is expanded."""
        expanded = ((Comparison("map_index", "gte", 0),),)
        all_of_task = replace(of_task(dag_id, dag_run_id, task_id), conditions=(expanded,))
        if not self._instances.list(all_of_task, limit=1).entries:
            self._require_mapped(dag_id, task_id)
        filter_ = replace(all_of_task, conditions=(expanded, *task_filters.of_query(params)))
        return self._page(filter_, limit, offset, order_by, None)

    def get_instance(self, dag_id: str, dag_run_id: str, task_id: str) -> Response:
        """Return the instance of a task that is not mapped."""
        key = TaskKey(dag_id, dag_run_id, task_id)
        try:
            return json_io.compact_json(dump_instance(self._instances.get(key)))
        except TaskInstanceNotFound:
            raise ProblemException(404, detail=self._why_missing(key)) from None

    def get_mapped(self, dag_id: str, dag_run_id: str, task_id: str, map_index: int) -> Response:
        """Return one instance of a mapped task."""
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        try:
            return json_io.compact_json(dump_instance(self._instances.get(key)))
        except TaskInstanceNotFound:
            raise ProblemException(
                404,
                detail=f"The Mapped Task Instance with dag_id: `{dag_id}`, run_id: `{dag_run_id}`,"
                f" task_id: `{task_id}`, and map_index: `{map_index}` was not found",
            ) from None

    def list_tries(
        self, dag_id: str, dag_run_id: str, task_id: str, map_index: int = UNMAPPED
    ) -> Response:
        """Return the tries of a task instance, oldest first.

        The current one is missing if it waits for a retry, because Airflow has recorded it then.
        """
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        tries = [each for each in self._instances.tries(key) if each.state != "up_for_retry"]
        if not tries:
            raise ProblemException(404, detail=missing_text(key))
        listed = [*map(dump_try, tries)]
        return json_io.compact_json({"task_instances": listed, "total_entries": len(listed)})

    def get_try(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        task_try_number: int,
        map_index: int = UNMAPPED,
    ) -> Response:
        """Return one try of a task instance."""
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        for each in self._instances.tries(key):
            if each.try_number == task_try_number:
                return json_io.compact_json(dump_try(each))
        detail = missing_text(key, f", try_number: `{task_try_number}`")
        raise ProblemException(404, detail=detail)

    def delete_instance(
        self, dag_id: str, dag_run_id: str, task_id: str, map_index: int
    ) -> Response:
        """Delete a task instance with its entries."""
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        try:
            self._instances.delete(key)
        except TaskInstanceNotFound:
            raise ProblemException(404, detail=missing_text(key)) from None
        return json_io.compact_json(None)

    def _page(
        self,
        filter_: Filter,
        limit: int,
        offset: int,
        order_by: Sequence[str],
        cursor: str | None,
    ) -> Response:
        page, totals = cursors.read_page(
            self._instances.list,
            filter_,
            limit=min(limit, self._maximum_page),
            offset=offset,
            order=task_filters.RULES.order(order_by),
            cursor=cursor,
        )
        return collection(page, totals)

    def _require_run(self, dag_id: str, run_id: str) -> None:
        """Raise the errors of a list in an unknown DAG or run."""
        if run_id == WILDCARD:
            if dag_id != WILDCARD:
                self._store.dags.get(dag_id)
            return
        if dag_id == WILDCARD:
            raise BadRequestProblem(detail="dag_id is required when dag_run_id is specified")
        try:
            self._store.runs.peek(dag_id, run_id)
        except RunNotFound:
            raise ProblemException(
                404, detail=f"DagRun with dag_id: `{dag_id}` and run_id: `{run_id}` was not found"
            ) from None

    def _require_mapped(self, dag_id: str, task_id: str) -> None:
        """Raise a 404 unless a task of a DAG is mapped."""
        task = definition_of(self._store.dags, dag_id).task(task_id)
        if task is None:
            raise ProblemException(404, detail=f"Task id {task_id} not found")
        if not task["is_mapped"]:
            raise ProblemException(404, detail=f"Task id {task_id} is not mapped")

    def _why_missing(self, key: TaskKey) -> str:
        if self._instances.list(of_task(*key[:3]), limit=1).entries:
            return "Task instance is mapped, add the map_index value to the URL"
        return (
            f"The Task Instance with dag_id: `{key.dag_id}`, run_id: `{key.run_id}` and task_id:"
            f" `{key.task_id}` was not found"
        )


def of_task(dag_id: str, run_id: str, task_id: str) -> Filter:
    """Return the filter for the instances of a task, in which `~` is not a wildcard."""
    return Filter({"dag_id": dag_id, "run_id": run_id, "task_id": task_id})


def missing_text(key: TaskKey, more: str = "") -> str:
    """Return the text of the error for a task instance that does not exist."""
    return (
        f"The Task Instance with dag_id: `{key.dag_id}`, run_id: `{key.run_id}`,"
        f" task_id: `{key.task_id}`{more} and map_index: `{key.map_index}` was not found"
    )


def collection(page: Page[TaskInstance], totals: dict[str, Any]) -> Response:
    """Return the response for a page of task instances."""
    rows = (json_io.json_list(map(dump_instance, some)) for some in _parts(page.entries))
    body = ",".join(json_io.bounded(rows))
    return json_io.compact_json_with("task_instances", f"[{body}]".encode(), totals)


def _parts(instances: Sequence[TaskInstance]) -> Iterator[Sequence[TaskInstance]]:
    """Yield the instances of a page in parts, so that not all are in memory as dictionaries."""
    for start in range(0, len(instances), _PART):
        yield instances[start : start + _PART]
