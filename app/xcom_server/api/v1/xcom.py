"""The five XCom operations of v1.

The two read operations emulate Airflow 2.10.5. Airflow designed the three write operations in 2020
but never released them. Here they follow the conventions of Airflow's other v1 resources;
docs/differences.md describes them.
"""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response

from xcom_server.api import conditional, json_io, work_memory
from xcom_server.api.authorization import visible
from xcom_server.api.serialization import compile_dump
from xcom_server.api.v1 import listing
from xcom_server.api.v1.schemas import XComCollectionItemSchema, XComSchema
from xcom_server.errors import DateMismatch
from xcom_server.formats.rfc3339 import is_date
from xcom_server.formats.strict_json import JsonObject
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED, XComEntry, XComKey
from xcom_server.storage.queries import WILDCARD
from xcom_server.storage.store import XComStore
from xcom_server.values import decode, types

_schema = XComSchema()
_dump = compile_dump(XComCollectionItemSchema())

_DATES = {"timestamp": "timestamp", "run_date": "execution_date"}  # store -> v1


class XComApi:
    """The handlers of the operations on entries in openapi/v1.yaml.

    They return the documented responses. They raise ProblemException, marshmallow's ValidationError
    and the errors of the store, which the `errors` module converts to responses.
    """

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "getXComEntry": self.list_entries,
            "getXComValue": self.get_entry,
            "updateXComEntry": self.create_entry,
            "updateXComValue": self.update_entry,
            "deleteXComValue": self.delete_entry,
        }

    def list_entries(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        limit: int,
        offset: int = 0,
        map_index: int | None = None,
        xcom_key: str | None = None,
    ) -> Response:
        """Return a page of entries without values; `~` matches any DAG, run or task."""
        filter_ = visible(
            dag_id,
            dag_run_id,
            task_id,
            map_index=map_index,
            key=xcom_key,
        )
        size = listing.page_size(limit, self._settings)
        page = self._store.list(filter_, offset=offset, limit=size)
        return json_io.indented_json_fast(
            {"total_entries": page.total_entries, "xcom_entries": _dump(page.entries)}
        )

    def get_entry(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        key: str,
        map_index: int,
        deserialize: bool,
        stringify: bool,
    ) -> Response:
        """Return one entry; its value is the result of `str()` or, without `stringify`, JSON."""
        if deserialize and not self._settings.deserialize:
            raise BadRequestProblem(detail="XCom deserialization is disabled in configuration.")
        entry = self._store.get(XComKey(dag_id, dag_run_id, task_id, map_index, key))
        work_memory.reserve([entry.value])
        value = decode.decode_v1(entry.value, rebuild=deserialize)
        if stringify:
            return _entry_response(entry, None if value is None else str(value))
        data = _dump([entry])[0] | {"value": types.as_json(value) if deserialize else value}
        write = json_io.bounded_json if json_io.are_large([entry.value]) else json_io.indented_json
        return conditional.with_etag(write(data), entry)

    def create_entry(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        body: JsonObject,
        map_index: int = UNMAPPED,
    ) -> Response:
        """Create an entry and return it."""
        params = _schema.load(body)
        entry_key = XComKey(dag_id, dag_run_id, task_id, map_index, params["key"])
        _refuse_wildcard(entry_key)
        for field in _mismatched_fields(params, entry_key):
            raise BadRequestProblem(detail=f"{field} from request body doesn't match uri parameter")
        with conditional.if_none_match():
            entry = _with_dates(
                lambda **dates: self._store.create(entry_key, body.raw("value"), **dates),
                params,
                body,
            )
        return _entry_response(entry, params["value"])

    def update_entry(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        key: str,
        body: JsonObject,
        update_mask: list[str] | None = None,
        map_index: int = UNMAPPED,
    ) -> Response:
        """Replace the value of an entry and return the entry; its timestamp does not change."""
        entry_key = XComKey(dag_id, dag_run_id, task_id, map_index, key)
        params = _schema.load(_masked(body, update_mask or []), partial=["key"])
        for field in _mismatched_fields(params, entry_key):
            raise _cannot_be_updated(field)
        try:
            entry = _with_dates(
                lambda **dates: self._store.replace_value(
                    entry_key, body.raw("value"), **dates, if_match=conditional.if_match()
                ),
                params,
                body,
            )
        except DateMismatch as error:
            raise _cannot_be_updated(_DATES[error.field]) from None
        return _entry_response(entry, params["value"])

    def delete_entry(
        self, dag_id: str, dag_run_id: str, task_id: str, key: str, map_index: int = UNMAPPED
    ) -> Response:
        """Delete an entry."""
        self._store.delete(
            XComKey(dag_id, dag_run_id, task_id, map_index, key), if_match=conditional.if_match()
        )
        return Response(status=204, mimetype=json_io.JSON)


def _entry_response(entry: XComEntry, value: str | None) -> Response:
    """Return the response for an entry, with `value` as its value."""
    data = _dump([entry])[0] | {"value": value}
    return conditional.with_etag(json_io.indented_json_fast(data), entry)


def _refuse_wildcard(entry_key: XComKey) -> None:
    if WILDCARD in (entry_key.dag_id, entry_key.run_id, entry_key.task_id):
        raise ProblemException(
            404,
            "Not Found",
            f"'{WILDCARD}' stands for any DAG, DAG run or"
            " task and cannot be used to create an entry.",
        )


def _mismatched_fields(params: dict[str, Any], entry_key: XComKey) -> list[str]:
    """Return the names of the fields in a body that differ from the URL's."""
    return [
        field
        for field in ("dag_id", "task_id", "key", "map_index")
        if params.get(field, getattr(entry_key, field)) != getattr(entry_key, field)
    ]


def _masked(body: JsonObject, update_mask: list[str]) -> dict[str, Any]:
    """Return the fields of the body that the mask lists, or the whole body if it is empty.

    Raises BadRequestProblem for a field other than `value`, and for one missing from the body.
    """
    names = [name.strip() for name in update_mask]
    if names in ([], [""]):
        return body
    for name in names:
        if name != "value" or name not in body:
            raise _cannot_be_updated(name)
    return {name: body[name] for name in names}


def _cannot_be_updated(field: str) -> BadRequestProblem:
    return BadRequestProblem(detail=f"'{field}' is unknown or cannot be updated.")


def _with_dates(
    write: Callable[..., XComEntry], params: dict[str, Any], body: JsonObject
) -> XComEntry:
    """Call `write` with the dates of a body, and return its result.

    A date that the client has cut to fewer digits is taken as the stored one. Raises DateMismatch.
    """
    dates = {field: params[field] for field in _DATES if field in params}
    while True:
        try:
            return write(**dates)
        except DateMismatch as error:
            if not is_date(body[_DATES[error.field]], error.stored):
                raise
            dates[error.field] = error.stored
