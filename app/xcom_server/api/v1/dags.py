"""The operations of v1 on DAGs and tasks, which emulate Airflow 2.10.5."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response
from marshmallow import Schema, fields

from xcom_server import errors
from xcom_server.api import json_io
from xcom_server.api.authorization import visible
from xcom_server.api.conditions import with_tags
from xcom_server.api.definitions import Definition, definition_of
from xcom_server.api.ordering import order_of
from xcom_server.api.update_masks import require_only_paused
from xcom_server.api.v1 import listing
from xcom_server.api.v1.schemas_dags import dump_dag, dump_details, dump_task, ordered_tasks
from xcom_server.formats.strict_json import JsonObject
from xcom_server.settings import Settings
from xcom_server.storage.dags import Dag
from xcom_server.storage.queries import WILDCARD, Comparison, Filter
from xcom_server.storage.store import XComStore

_ORDER = {"dag_id": "dag_id"}
_PAUSED = "is_paused"


class DagPatchSchema(Schema):
    """The body that pauses or unpauses DAGs."""

    is_paused = fields.Boolean(allow_none=True)


class DagApi:
    """The handlers of the operations on DAGs and tasks in openapi/v1.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._dags = store.dags
        self._settings = settings

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
        self,
        limit: int,
        only_active: bool,
        offset: int = 0,
        tags: list[str] | None = None,
        dag_id_pattern: str = "",
        paused: bool | None = None,
        order_by: str = "dag_id",
        fields: list[str] | None = None,
    ) -> Response:
        """Return a page of the DAGs that the user can access."""
        filter_ = _filter(only_active, tags, dag_id_pattern, is_paused=paused)
        size = listing.page_size(limit, self._settings)
        order = [order_of(order_by, _ORDER)]
        page = self._dags.list(filter_, limit=size, offset=offset, order=order)
        return _collection(page.entries, page.total_entries, fields)

    def patch_dags(
        self,
        limit: int,
        only_active: bool,
        dag_id_pattern: str,
        body: JsonObject,
        offset: int = 0,
        tags: list[str] | None = None,
        update_mask: list[str] | None = None,
    ) -> Response:
        """Pause or unpause the DAGs of a page, and return them."""
        is_paused = _is_paused(body, update_mask)
        pattern = "" if dag_id_pattern == WILDCARD else dag_id_pattern
        size = listing.page_size(limit, self._settings)
        page = self._dags.list(_filter(only_active, tags, pattern), limit=size, offset=offset)
        dags = self._dags.set_all_paused([dag.dag_id for dag in page.entries], is_paused)
        return _collection(dags, page.total_entries)

    def get_dag(self, dag_id: str, fields: list[str] | None = None) -> Response:
        """Return a DAG."""
        return _one(dump_dag(self._dags.get(dag_id)), fields, "DAGSchema")

    def get_details(self, dag_id: str, fields: list[str] | None = None) -> Response:
        """Return all fields of a DAG."""
        return _one(dump_details(self._dags.get(dag_id)), fields, "DAGDetailSchema")

    def patch_dag(
        self, dag_id: str, body: JsonObject, update_mask: list[str] | None = None
    ) -> Response:
        """Pause or unpause a DAG, and return it."""
        is_paused = _is_paused(body, update_mask)
        try:
            dag = self._dags.set_paused(dag_id, is_paused)
        except errors.DagNotFound:
            raise _not_found(dag_id) from None
        return json_io.indented_json_fast(dump_dag(dag))

    def delete_dag(self, dag_id: str) -> Response:
        """Delete a DAG with its runs, task instances and entries."""
        try:
            self._dags.delete(dag_id)
        except errors.DagNotFound:
            raise _not_found(dag_id) from None
        except errors.TaskIsRunning:
            detail = f"Task instances of dag with id: '{dag_id}' are still running"
            raise ProblemException(409, "Conflict", detail) from None
        return Response(status=204, mimetype=json_io.JSON)

    def list_tasks(self, dag_id: str, order_by: str = "task_id") -> Response:
        """Return the tasks of a DAG."""
        tasks = ordered_tasks([*map(dump_task, self._definition(dag_id).tasks)], order_by)
        return json_io.indented_json({"tasks": tasks, "total_entries": len(tasks)})

    def get_task(self, dag_id: str, task_id: str) -> Response:
        """Return a task of a DAG."""
        task = self._definition(dag_id).task(task_id)
        if task is None:
            raise ProblemException(404, "Task not found")
        return json_io.indented_json(dump_task(task))

    def _definition(self, dag_id: str) -> Definition:
        try:
            return definition_of(self._dags, dag_id)
        except errors.DagNotFound:
            raise ProblemException(404, "DAG not found") from None


def _filter(
    only_active: bool, tags: list[str] | None, pattern: str, is_paused: bool | None = None
) -> Filter:
    conditions = [*with_tags(tags or [])]
    if pattern:
        escaped = pattern.replace("\\", "\\\\")
        conditions.append(((Comparison("dag_id", "like", f"%{escaped}%"),),))
    return visible(
        conditions=tuple(conditions),
        is_stale=False if only_active else None,
        is_paused=is_paused,
    )


def _is_paused(body: Mapping[str, Any], update_mask: list[str] | None) -> bool | None:
    """Return the new value of `is_paused`; raise BadRequestProblem for another field, or none."""
    given = DagPatchSchema().load(body)
    require_only_paused(update_mask)
    if _PAUSED not in given:
        raise BadRequestProblem(detail="'is_paused' is a required property")
    return given[_PAUSED]  # type: ignore[no-any-return]


def _one(body: dict[str, Any], fields: list[str] | None, schema: str) -> Response:
    return json_io.indented_json(_selected([body], fields, f"{schema} init error", schema)[0])


def _collection(dags: Sequence[Dag], total: int, fields: list[str] | None = None) -> Response:
    bodies = [dump_dag(dag) for dag in dags]
    rows = _selected(bodies, fields, "DAGCollectionSchema error", "DAGSchema")
    return json_io.indented_json_fast({"dags": rows, "total_entries": total})


def _selected(
    rows: list[dict[str, Any]], fields: list[str] | None, title: str, schema: str
) -> list[dict[str, Any]]:
    """Return rows with only these fields; raise BadRequestProblem for unknown ones."""
    if fields is None or not rows:
        return rows
    unknown = [name for name in dict.fromkeys(fields) if name not in rows[0]]
    if unknown:
        detail = f"Invalid fields for <{schema}(many=False)>: OrderedSet({unknown})."
        raise BadRequestProblem(title, detail=detail)
    return [{name: row[name] for name in sorted({*fields})} for row in rows]


def _not_found(dag_id: str) -> ProblemException:
    return ProblemException(404, f"Dag with id: '{dag_id}' not found")
