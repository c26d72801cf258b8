"""The five XCom operations of v2, which emulate Airflow 3.3.2."""

import json
from collections.abc import Callable
from typing import Any

from flask import Response

from xcom_server import clock
from xcom_server.api import conditional, json_io, work_memory
from xcom_server.api.authorization import visible
from xcom_server.api.serialization import compile_dump
from xcom_server.api.v2.filters import ListRules
from xcom_server.api.v2.schemas import XComResponseSchema
from xcom_server.formats.strict_json import JsonObject
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED, XComEntry, XComKey
from xcom_server.storage.queries import Comparison, Condition
from xcom_server.storage.store import XComStore
from xcom_server.values import decode

_dump = compile_dump(XComResponseSchema())

_SORTABLE = ("key", "dag_id", "run_id", "task_id", "map_index", "timestamp", "run_after")
_RULES = ListRules(
    patterns={
        "xcom_key": "key",
        "dag_display_name": "dag_id",
        "run_id": "run_id",
        "task_id": "task_id",
    },
    ranges=("logical_date", "run_after"),
    names={name: name for name in _SORTABLE},
)


class XComApi:
    """The handlers of the operations in openapi/v2.yaml.

    They return the documented responses. They raise BadRequestProblem and the errors of the store,
    which the `errors` module converts to responses.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_xcom_entries": self.list_entries,
            "get_xcom_entry": self.get_entry,
            "create_xcom_entry": self.create_entry,
            "update_xcom_entry": self.update_entry,
            "delete_xcom_entry": self.delete_entry,
        }

    def list_entries(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        limit: int,
        offset: int,
        map_index: int | None = None,
        xcom_key: str | None = None,
        order_by: list[str] | None = None,
        **params: Any,
    ) -> Response:
        """Return a page of entries without values; `~` matches any DAG, run or task.

        A `limit` above the maximum page size is lowered to it.
        """
        filter_ = visible(
            dag_id,
            dag_run_id,
            task_id,
            map_index=map_index,
            key=xcom_key,
            conditions=self._conditions(params),
        )
        page = self._store.list(
            filter_,
            limit=min(limit, self._maximum_page),
            offset=offset,
            order=_RULES.order(order_by or []),
        )
        return json_io.compact_json(
            {"xcom_entries": _dump(page.entries), "total_entries": page.total_entries}
        )

    @staticmethod
    def _conditions(params: dict[str, Any]) -> tuple[Condition, ...]:
        map_index = params.get("map_index_filter")
        given = () if map_index is None else (((Comparison("map_index", "eq", map_index),),),)
        return (*_RULES.conditions(params), *given)

    def get_entry(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        xcom_key: str,
        map_index: int,
        deserialize: bool,
        stringify: bool,
    ) -> Response:
        """Return one entry; its value is JSON or, with `stringify`, the result of `str()`."""
        entry = self._store.get(XComKey(dag_id, dag_run_id, task_id, map_index, xcom_key))
        work_memory.reserve([entry.value])
        value = decode.decode_v2(entry.value) if deserialize else json.loads(entry.value)
        return _entry_response(entry, str(value) if stringify and value is not None else value)

    def create_entry(
        self, dag_id: str, dag_run_id: str, task_id: str, body: JsonObject
    ) -> Response:
        """Create an entry and return it."""
        entry_key = XComKey(dag_id, dag_run_id, task_id, body["map_index"], body["key"])
        with conditional.if_none_match():
            entry = self._store.create(entry_key, body.raw("value"))
        return _entry_response(entry, body["value"], 201)

    def update_entry(
        self, dag_id: str, dag_run_id: str, task_id: str, xcom_key: str, body: JsonObject
    ) -> Response:
        """Replace the value of an entry, set its timestamp to the current time, and return it."""
        entry_key = XComKey(dag_id, dag_run_id, task_id, body["map_index"], xcom_key)
        entry = self._store.replace_value(
            entry_key,
            body.raw("value"),
            new_timestamp=clock.now(),
            if_match=conditional.if_match(),
        )
        return _entry_response(entry, body["value"])

    def delete_entry(
        self, dag_id: str, dag_run_id: str, task_id: str, xcom_key: str, map_index: int = UNMAPPED
    ) -> Response:
        """Delete an entry."""
        self._store.delete(
            XComKey(dag_id, dag_run_id, task_id, map_index, xcom_key),
            if_match=conditional.if_match(),
        )
        return Response(status=204, mimetype=json_io.JSON)


def _entry_response(entry: XComEntry, value: Any, status: int = 200) -> Response:
    """Return the response for an entry, with `value` instead of the stored JSON text."""
    data = _dump([entry])[0] | {"value": value}
    return conditional.with_etag(json_io.compact_json(data, status), entry)
