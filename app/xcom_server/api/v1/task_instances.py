"""The operations of v1 that read task instances, which emulate Airflow 2.10.5."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response

from xcom_server import errors
from xcom_server.api import work_memory
from xcom_server.api.authorization import visible
from xcom_server.api.conditions import one_of
from xcom_server.api.definitions import definition_of
from xcom_server.api.serialization import compile_dump
from xcom_server.api.v1 import listing
from xcom_server.api.v1.schemas_task_instances import (
    NOT_OF_A_TRY,
    PAGE_IN_PARTS,
    STATES,
    ListTaskInstancesSchema,
    TaskInstanceSchema,
    dump_instances,
    one_instance_json,
    page_in_parts,
    task_instances_json,
)
from xcom_server.formats.strict_json import JsonObject
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED
from xcom_server.storage.queries import MAX_ROWS, Comparison, Condition, Filter, Order
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskKey

NO_STATE = "none"  # stands for a state of null in a filter

_NOT_FOUND = "Task instance not found"
_ORDER = {
    name: [Order(field, descending=name.startswith("-")), Order("map_index")]
    for field in ("state", "duration", "start_date", "end_date")
    for name in (field, f"-{field}")
} | {"-map_index": [Order("map_index", descending=True)]}
"""Values of `order_by` in a list of mapped instances; Airflow refuses `map_index`, the default."""

_ONE_OF = ("pool", "queue", "executor")
_IS_MAPPED: Condition = ((Comparison("map_index", "gte", 0),),)

_dump_tries = compile_dump(TaskInstanceSchema(exclude=NOT_OF_A_TRY))


class TaskInstanceApi:
    """The handlers of the operations that read task instances."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._instances = store.task_instances
        self._dags = store.dags

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_task_instances": self.list_instances,
            "get_task_instances_batch": self.list_batch,
            "get_task_instance": self.get_instance,
            "get_mapped_task_instance": self.get_instance,
            "get_mapped_task_instances": self.list_mapped,
            "get_task_instance_tries": self.list_tries,
            "get_mapped_task_instance_tries": self.list_tries,
            "get_task_instance_try_details": self.get_try,
            "get_mapped_task_instance_try_details": self.get_try,
        }

    def list_instances(
        self, dag_id: str, dag_run_id: str, limit: int, offset: int = 0, **filters: Any
    ) -> Response:
        """Return a page of task instances; `~` matches any DAG or run.

        A page can have MAX_ROWS rows, and a negative limit selects as many.
        """
        filter_ = visible(dag_id, dag_run_id, conditions=_conditions(filters))
        return self._page(filter_, limit, offset)

    def list_batch(self, body: JsonObject) -> Response:
        """Return a page of task instances; the filters are in the body."""
        form = ListTaskInstancesSchema().load(body)
        conditions = (
            *one_of("dag_id", form["dag_ids"]),
            *one_of("run_id", form["dag_run_ids"]),
            *one_of("task_id", form["task_ids"]),
            *_conditions(form),
        )
        return self._page(visible(conditions=conditions), form["page_limit"], form["page_offset"])

    def list_mapped(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        limit: int,
        offset: int = 0,
        order_by: str | None = None,
        **filters: Any,
    ) -> Response:
        """Return a page of the instances of a mapped task."""
        ids = {"dag_id": dag_id, "run_id": dag_run_id, "task_id": task_id}
        conditions = _conditions(filters)
        if not self._instances.list(Filter(ids, conditions=(_IS_MAPPED,)), limit=1).entries:
            self._require_mapped_task(dag_id, task_id)
        filter_ = Filter(ids, conditions=(_IS_MAPPED, *conditions))
        return self._page(filter_, limit, offset, _mapped_order(order_by))

    def get_instance(
        self, dag_id: str, dag_run_id: str, task_id: str, map_index: int = UNMAPPED
    ) -> Response:
        """Return a task instance."""
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        try:
            return one_instance_json(self._instances.get(key))
        except errors.TaskInstanceNotFound:
            raise ProblemException(404, _NOT_FOUND, self._hint(key)) from None

    def list_tries(
        self, dag_id: str, dag_run_id: str, task_id: str, map_index: int = UNMAPPED, **unused: Any
    ) -> Response:
        """Return the tries of a task instance, oldest first; none for an unknown one.

        As in Airflow 2, `limit`, `offset` and `order_by` are ignored.
        """
        tries = self._instances.tries(TaskKey(dag_id, dag_run_id, task_id, map_index))
        return task_instances_json(
            {"task_instances": _dump_tries(tries), "total_entries": len(tries)}, tries
        )

    def get_try(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        task_try_number: int,
        map_index: int = UNMAPPED,
    ) -> Response:
        """Return one try of a task instance."""
        for each in reversed(
            self._instances.tries(TaskKey(dag_id, dag_run_id, task_id, map_index))
        ):
            if each.try_number == task_try_number:
                return task_instances_json(_dump_tries([each])[0], [each])
        raise ProblemException(
            404,
            _NOT_FOUND,
            f"Task Instance not found for dag_id={dag_id}, run_id={dag_run_id},"
            f" task_id={task_id}, map_index={map_index}, try_number={task_try_number}.",
        )

    def _page(
        self, filter_: Filter, limit: int, offset: int, order: Sequence[Order] = ()
    ) -> Response:
        size = MAX_ROWS if limit < 0 else min(limit, MAX_ROWS)
        work_memory.reserve_rows(size)
        page = self._instances.list(filter_, limit=size, offset=offset, order=order)
        if len(page.entries) > PAGE_IN_PARTS:
            return page_in_parts(page.entries, page.total_entries)
        rows = dump_instances(page.entries)
        return task_instances_json(
            {"task_instances": rows, "total_entries": page.total_entries}, page.entries
        )

    def _hint(self, key: TaskKey) -> str | None:
        """Return the detail of an error: a mapped task needs a map index."""
        ids = {"dag_id": key.dag_id, "run_id": key.run_id, "task_id": key.task_id}
        if key.map_index != UNMAPPED or not self._instances.list(Filter(ids), limit=1).entries:
            return None
        return "Task instance is mapped, add the map_index value to the URL"

    def _require_mapped_task(self, dag_id: str, task_id: str) -> None:
        """Raise ProblemException unless the DAG has a mapped task with this id."""
        try:
            task = definition_of(self._dags, dag_id).task(task_id)
        except errors.DagNotFound:
            raise ProblemException(404, f"DAG {dag_id} not found") from None
        if task is None:
            raise ProblemException(404, f"Task id {task_id} not found")
        if not task["is_mapped"]:
            raise ProblemException(404, f"Task id {task_id} is not mapped")


def _conditions(filters: Mapping[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions of the filters that the lists of task instances share."""
    values = [one_of(name, filters.get(name)) for name in _ONE_OF]
    return (*_in_states(filters.get("state")), *chain(*values), *listing.ranges(filters))


def _in_states(states: Iterable[str | None] | None) -> tuple[Condition, ...]:
    """Return the condition that a task instance has one of these states; `none` is null.

    Raises BadRequestProblem for an unknown state, for which Airflow 2 returns a 500.
    """
    wanted = [None if state == NO_STATE else state for state in states or ()]
    for state in wanted:
        if state not in (None, *STATES):
            raise BadRequestProblem(detail=f"{state!r} is not one of {[NO_STATE, *STATES]}")
    return one_of("state", wanted)


def _mapped_order(order_by: str | None) -> Sequence[Order]:
    if order_by is None:
        return (Order("map_index"),)
    if order_by not in _ORDER:
        raise BadRequestProblem(detail=f"Ordering with '{order_by}' is not supported")
    return _ORDER[order_by]
