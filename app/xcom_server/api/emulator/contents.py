"""What the store has, for people: entries with each form of their values, and runs."""

import json
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Any

from flask import Response

from xcom_server.api import json_io
from xcom_server.emulator.records import cut
from xcom_server.errors import EntryNotFound
from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.models import XComEntry, XComKey
from xcom_server.storage.queries import Filter
from xcom_server.storage.runs import DagRun
from xcom_server.storage.store import XComStore
from xcom_server.values.decode import decode_v1

MAX_VALUE = 4000  # characters of the JSON of a value or a `conf`; a longer one is cut


class ContentsApi:
    """The operations on entries and runs."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        self._store = store

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {"list_entries": self.list_entries, "list_runs": self.list_runs}

    def list_entries(self, limit: int, offset: int, **ids: Any) -> Response:
        """Return a page of entries, and the number of all that match."""
        page = self._store.list(Filter.of(**ids), limit=limit, offset=offset)
        entries = []
        for each in page.entries:
            with suppress(EntryNotFound):  # deleted meanwhile
                key = XComKey(each.dag_id, each.run_id, each.task_id, each.map_index, each.key)
                entries.append(_entry(self._store.get(key)))
        return json_io.indented_json({"entries": entries, "total_entries": page.total_entries})

    def list_runs(self, limit: int, offset: int, **ids: Any) -> Response:
        """Return a page of runs as they are, without a step of their scripts, and the number."""
        page = self._store.runs.peek_list(Filter.of(**ids), limit=limit, offset=offset)
        runs = [_run(each) for each in page.entries]
        return json_io.indented_json({"runs": runs, "total_entries": page.total_entries})


def _entry(entry: XComEntry) -> dict[str, Any]:
    return {
        "dag_id": entry.dag_id,
        "run_id": entry.run_id,
        "task_id": entry.task_id,
        "map_index": entry.map_index,
        "key": entry.key,
        "timestamp": _date(entry.timestamp),
        "logical_date": _date(entry.logical_date),
        "run_after": _date(entry.run_after),
        **_values(entry.value),
    }


def _values(text: str) -> dict[str, Any]:
    """Return the forms of a value: v2, v1 with `stringify=false`, and the text of v1.

    A serialized object in it can be longer as text than as JSON.
    """
    shown = {"json": cut(text, MAX_VALUE), "size": len(text.encode()), "is_cut": True}
    none = {"value": None, "v1_value": None, "v1_text": None}
    if len(text) > MAX_VALUE:
        return shown | none
    v1_value = decode_v1(text)
    v1_text = None if v1_value is None else str(v1_value)
    if v1_text is not None and len(v1_text) > MAX_VALUE * 2:
        return shown | none | {"v1_text": cut(v1_text, MAX_VALUE)}
    values = {"value": json.loads(text), "v1_value": v1_value, "v1_text": v1_text}
    return shown | values | {"is_cut": False}


def _run(run: DagRun) -> dict[str, Any]:
    is_cut = len(run.conf) > MAX_VALUE
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "state": run.state,
        "run_type": run.run_type,
        "logical_date": _date(run.logical_date),
        "run_after": _date(run.run_after),
        "queued_at": _date(run.queued_at),
        "start_date": _date(run.start_date),
        "end_date": _date(run.end_date),
        "note": run.note,
        "conf": None if is_cut else json.loads(run.conf),
        "is_cut": is_cut,
        "next_step": run.step,
        "next_step_at": _date(run.step_at),
    }


def _date(date: datetime | None) -> str | None:
    return date.isoformat() if date else None
