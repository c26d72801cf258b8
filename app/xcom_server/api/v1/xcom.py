"""The five XCom operations of v1.

Reads answer as Airflow 2.10.5 does.  The writes were specified in 2020 and never shipped; they
follow the conventions of v1's other resources, and docs/differences.md is their specification.
"""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response

from xcom_server.api import authorization, conditional, health, json_io
from xcom_server.api.serialization import dumping
from xcom_server.api.v1.paging import PageLimits
from xcom_server.api.v1.release import AIRFLOW_GIT_VERSION, AIRFLOW_VERSION
from xcom_server.api.v1.schemas import XComCollectionItemSchema, XComSchema
from xcom_server.api.v1.update_mask import cannot_be_updated, masked
from xcom_server.errors import DateMismatch
from xcom_server.formats.strict_json import JsonObject
from xcom_server.storage.models import UNMAPPED, WILDCARD, XComEntry, XComFilter, XComKey
from xcom_server.storage.store import XComStore
from xcom_server.values import decode, types

_xcom = XComSchema()
_dumped = dumping(XComCollectionItemSchema())


class XComApi:
    """The handlers of openapi/v1.yaml, over one store."""

    def __init__(self, store: XComStore, *, limits: PageLimits, may_deserialize: bool) -> None:
        self._store = store
        self._limits = limits
        self._may_deserialize = may_deserialize

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handler of every operationId in the document."""
        return {
            "getXComEntry": self.list_entries,
            "getXComValue": self.get_entry,
            "updateXComEntry": self.create_entry,
            "updateXComValue": self.update_entry,
            "deleteXComValue": self.delete_entry,
            "get_health": self.get_health,
            "get_version": self.get_version,
        }

    def list_entries(self, dag_id: str, dag_run_id: str, task_id: str, limit: int,
                     offset: int = 0, map_index: int | None = None,
                     xcom_key: str | None = None) -> Response:
        """Answer a page of entries without values; `~` stands for any DAG, run or task."""
        wanted = XComFilter(_unless_any(dag_id), _unless_any(dag_run_id), _unless_any(task_id),
                            map_index, xcom_key, authorization.visible_dag_ids())
        page = self._store.list(wanted, limit=self._limits.applied(limit), offset=offset)
        return json_io.indented_json_fast({"total_entries": page.total_entries,
                                    "xcom_entries": _dumped(page.entries)})

    def get_entry(self, dag_id: str, dag_run_id: str, task_id: str, key: str, map_index: int,
                  deserialize: bool, stringify: bool) -> Response:
        """Answer one entry, its value as Python's `str()` or, on request, as JSON."""
        if deserialize and not self._may_deserialize:
            raise BadRequestProblem(detail="XCom deserialization is disabled in configuration.")
        entry = self._store.get(XComKey(dag_id, dag_run_id, task_id, map_index, key))
        value = decode.decode_v1(entry.value, rebuild=deserialize)
        if stringify:
            return _answer(entry, None if value is None else str(value))
        shown = _shown(entry, types.as_json(value))
        return conditional.tagged(json_io.indented(shown), entry)

    def create_entry(self, dag_id: str, dag_run_id: str, task_id: str, body: JsonObject,
                     map_index: int = UNMAPPED) -> Response:
        """Store a new entry and answer it."""
        given = _xcom.load(body)
        name = XComKey(dag_id, dag_run_id, task_id, map_index, given["key"])
        _refuse_any(name)
        for field in _contradictions(given, name):
            raise BadRequestProblem(
                detail=f"{field} from request body doesn't match uri parameter")
        with conditional.if_none_match():
            entry = self._store.create(name, body.raw("value"), **_dates(given))
        return _answer(entry, given["value"])

    def update_entry(self, dag_id: str, dag_run_id: str, task_id: str, key: str,
                     body: JsonObject, update_mask: list[str] | None = None,
                     map_index: int = UNMAPPED) -> Response:
        """Give an entry a new value and answer it."""
        name = XComKey(dag_id, dag_run_id, task_id, map_index, key)
        given = _xcom.load(masked(body, update_mask or []), partial=["key"])
        for field in _contradictions(given, name):
            raise cannot_be_updated(field)
        try:
            entry = self._store.replace_value(name, body.raw("value"), **_dates(given),
                                              if_match=conditional.versions())
        except DateMismatch as error:
            raise cannot_be_updated(DATE_FIELDS[error.field]) from None
        return _answer(entry, given["value"])

    def delete_entry(self, dag_id: str, dag_run_id: str, task_id: str, key: str,
                     map_index: int = UNMAPPED) -> Response:
        """Remove an entry."""
        self._store.delete(XComKey(dag_id, dag_run_id, task_id, map_index, key),
                           if_match=conditional.versions())
        return Response(status=204, mimetype=json_io.JSON)

    def get_health(self) -> Response:
        """Answer whether the database is there."""
        return json_io.indented(health.health(self._store))

    def get_version(self) -> Response:
        """Answer which Airflow is emulated."""
        return json_io.indented({"git_version": AIRFLOW_GIT_VERSION, "version": AIRFLOW_VERSION})


DATE_FIELDS = {"timestamp": "timestamp", "run_date": "execution_date"}
"""The store's names of dates -> v1's."""


def _answer(entry: XComEntry, value: str | None) -> Response:
    """Answer an entry whose value is shown as this text."""
    return conditional.tagged(json_io.indented_json_fast(_shown(entry, value)), entry)


def _shown(entry: XComEntry, value: Any) -> dict[str, Any]:
    """Return an entry with this value in place of the JSON text that is stored."""
    return _dumped([entry])[0] | {"value": value}


def _unless_any(name: str) -> str | None:
    return None if name == WILDCARD else name


def _refuse_any(name: XComKey) -> None:
    if WILDCARD in (name.dag_id, name.run_id, name.task_id):
        raise ProblemException(404, "Not Found", f"'{WILDCARD}' stands for any DAG, DAG run or task;"
                               " an entry can only be written to one.")


def _contradictions(given: dict[str, Any], name: XComKey) -> list[str]:
    """Return the fields of a body that name another entry than the path does."""
    return [field for field in ("dag_id", "task_id", "key", "map_index")
            if given.get(field, getattr(name, field)) != getattr(name, field)]


def _dates(given: dict[str, Any]) -> dict[str, Any]:
    return {field: given[field] for field in DATE_FIELDS if field in given}
