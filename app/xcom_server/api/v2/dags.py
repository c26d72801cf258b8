"""The operations on DAGs and tasks of v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.api import json_io
from xcom_server.api.authorization import visible
from xcom_server.api.definitions import Definition, definition_of
from xcom_server.api.update_masks import require_only_paused
from xcom_server.api.v2 import dag_filters
from xcom_server.api.v2.schemas_dags import dump_dag, dump_details, dump_task, sorted_tasks
from xcom_server.errors import DagNotFound
from xcom_server.settings import Settings
from xcom_server.storage.dags import Dag
from xcom_server.storage.queries import NO_LIMIT, Order, Page
from xcom_server.storage.store import XComStore


class DagApi:
    """The handlers of the operations on DAGs and tasks in openapi/v2.yaml.

    They return the documented responses. They raise BadRequestProblem, ProblemException and the
    errors of the store, which the `errors` module converts to responses.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._dags = store.dags
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_dags": self.list_dags,
            "patch_dags": self.patch_dags,
            "get_dag": self.get_dag,
            "patch_dag": self.patch_dag,
            "delete_dag": self.delete_dag,
            "get_dag_details": self.get_details,
            "get_tasks": self.list_tasks,
            "get_task": self.get_task,
        }

    def list_dags(
        self, limit: int, offset: int, order_by: Sequence[str] = (), **params: Any
    ) -> Response:
        """Return a page of DAGs; a `limit` above the maximum page size is lowered to it."""
        order = dag_filters.RULES.order(order_by)
        page = self._page(params, min(limit, self._maximum_page), offset, order)
        return _collection(page.entries, page.total_entries)

    def patch_dags(
        self,
        body: dict[str, Any],
        limit: int,
        offset: int,
        update_mask: Sequence[str] | None = None,
        **params: Any,
    ) -> Response:
        """Pause or unpause all DAGs that match, and return a page of them.

        Without a pattern no DAG matches.
        """
        require_only_paused(update_mask)
        names = ("dag_id_pattern", "dag_id_prefix_pattern")
        if all(params.get(name) is None for name in names):
            return _collection([], 0)
        found = self._page(params, NO_LIMIT).entries
        changed = self._dags.set_all_paused([dag.dag_id for dag in found], body["is_paused"])
        size = min(limit, self._maximum_page)
        return _collection(changed[offset : offset + size], len(changed))

    def get_dag(self, dag_id: str) -> Response:
        """Return one DAG."""
        return _one(self._dags.get(dag_id))

    def get_details(self, dag_id: str) -> Response:
        """Return one DAG with its details."""
        definition = Definition(self._dags.get(dag_id))
        return json_io.compact_json(dump_details(definition, self._dags.count_running(dag_id)))

    def patch_dag(
        self, dag_id: str, body: dict[str, Any], update_mask: Sequence[str] | None = None
    ) -> Response:
        """Pause or unpause a DAG, and return it."""
        with _naming_dag():
            self._dags.get(dag_id)
            require_only_paused(update_mask)
            return _one(self._dags.set_paused(dag_id, body["is_paused"]))

    def delete_dag(self, dag_id: str) -> Response:
        """Delete a DAG with its runs, task instances and entries."""
        with _naming_dag():
            self._dags.delete(dag_id)
        return Response(status=204, mimetype=json_io.JSON)

    def list_tasks(self, dag_id: str, order_by: str) -> Response:
        """Return all tasks of a DAG."""
        found = definition_of(self._dags, dag_id).tasks
        tasks = sorted_tasks([*map(dump_task, found)], order_by)
        return json_io.compact_json({"tasks": tasks, "total_entries": len(tasks)})

    def get_task(self, dag_id: str, task_id: str) -> Response:
        """Return one task."""
        task = definition_of(self._dags, dag_id).task(task_id)
        if task is None:
            raise ProblemException(404, detail=f"Task with id {task_id} was not found")
        return json_io.compact_json(dump_task(task))

    def _page(
        self, params: dict[str, Any], limit: int, offset: int = 0, order: Sequence[Order] = ()
    ) -> Page[Dag]:
        """Return a page of the DAGs that match query parameters.

        Schedules are not columns, so a filter by schedule reads all DAGs that match the others.
        """
        filter_ = visible(conditions=dag_filters.of_query(params))
        test = dag_filters.predicate(params)
        if test is None:
            return self._dags.list(filter_, limit=limit, offset=offset, order=order)
        found = self._dags.list(filter_, limit=NO_LIMIT, order=order).entries
        matching = [dag for dag in found if test(Definition(dag))]
        return Page(matching[offset : offset + limit], len(matching))


@contextmanager
def _naming_dag() -> Iterator[None]:
    """Raise a 404 with the text of the operations that change a DAG."""
    try:
        yield
    except DagNotFound as error:
        raise ProblemException(404, detail=f"Dag with id: {error.dag_id} was not found") from None


def _one(dag: Dag) -> Response:
    return json_io.compact_json(dump_dag(Definition(dag)))


def _collection(dags: Sequence[Dag], total: int) -> Response:
    listed = [dump_dag(Definition(dag)) for dag in dags]
    return json_io.compact_json({"dags": listed, "total_entries": total})
