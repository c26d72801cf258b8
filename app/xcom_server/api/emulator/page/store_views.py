"""The views of the store: entries with their values, one entry, and runs."""

import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask import Response

from xcom_server.api import work_memory
from xcom_server.api.emulator.page import links, rendering, values
from xcom_server.api.emulator.page.status import status, time_in_words
from xcom_server.errors import EntryNotFound
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.models import ListedEntry, XComKey
from xcom_server.storage.queries import Filter, Order
from xcom_server.storage.runs import DagRun
from xcom_server.storage.store import XComStore

ENTRIES = 25  # on a page
RUNS = 100
LISTED_CHARACTERS = 300  # of a value in the list
SHOWN_CHARACTERS = 20_000  # of a value in the view of one entry
DECODED_CHARACTERS = 64 * 1024  # of a stored value; longer ones are not decoded in the list


class TaskInstance(NamedTuple):
    """The ids of a task instance."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int


class StoreViews:
    """The views of the store."""

    def __init__(self, store: XComStore, state: EmulatorState) -> None:
        self._store = store
        self._state = state

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "show_entries": self.show_entries,
            "show_entry": self.show_entry,
            "show_runs": self.show_runs,
        }

    def show_entries(self, *, offset: int, dag_id: str = "", run_id: str = "") -> Response:
        """Return a page of entries with their values."""
        filters = {"dag_id": dag_id, "run_id": run_id}
        filter_ = Filter.of(dag_id or None, run_id or None)
        page = self._store.list(filter_, limit=ENTRIES, offset=offset)
        return rendering.page(
            "entries.html",
            **status(self._state, "entries"),
            groups=self._groups(page.entries),
            filters=filters,
            total=page.total_entries,
            most=ENTRIES,
            most_characters=LISTED_CHARACTERS,
            pages=_pages("entries", filters, offset, ENTRIES, page.total_entries),
            reload=links.link("entries", filters | {"offset": offset or ""}),
        )

    def show_entry(self, **ids: Any) -> Response:
        """Return one entry with its whole values, up to a number of characters."""
        view = status(self._state, "entries")
        key = XComKey(**ids)
        try:
            entry = self._store.get(key)
        except EntryNotFound:
            text = f"The store has no entry {key.key} of this task instance."
            return rendering.page("missing.html", 404, **view, text=text)
        work_memory.reserve([entry.value], copies=3)
        shown = values.shown(entry.value, SHOWN_CHARACTERS)
        paths = [
            links.in_api(column[:2], key, query)
            for column, query in zip(values.COLUMNS, values.QUERIES, strict=True)
        ]
        columns = list(zip(values.COLUMNS, shown, paths, strict=True))
        return rendering.page(
            "entry.html",
            **view,
            entry=entry,
            columns=columns,
            timestamp=time_in_words(entry.timestamp),
            dag_link=links.link("entries", {"dag_id": key.dag_id}),
            run_link=links.link("entries", {"dag_id": key.dag_id, "run_id": key.run_id}),
        )

    def show_runs(self, *, offset: int, dag_id: str = "") -> Response:
        """Return a page of runs, the newest first, without a step of their scripts."""
        filters = {"dag_id": dag_id}
        newest_first = [Order("id", descending=True)]
        page = self._store.runs.peek_list(
            Filter.of(dag_id or None), limit=RUNS, offset=offset, order=newest_first
        )
        return rendering.page(
            "runs.html",
            **status(self._state, "runs"),
            runs=[_run(each) for each in page.entries],
            filters=filters,
            total=page.total_entries,
            most=RUNS,
            pages=_pages("runs", filters, offset, RUNS, page.total_entries),
            reload=links.link("runs", filters | {"offset": offset or ""}),
        )

    def _groups(self, entries: Sequence[ListedEntry]) -> list[tuple[TaskInstance, list[Any]]]:
        """Return the entries of each task instance, without those that were deleted meanwhile."""
        groups = []
        for ids, group in itertools.groupby(entries, lambda each: TaskInstance(*each[:4])):
            if listed := [shown for each in group if (shown := self._listed(each))]:
                groups.append((ids, listed))
        return groups

    def _listed(self, listed: ListedEntry) -> dict[str, Any] | None:
        """Return the key and the values of an entry, None if it does not exist.

        Values are read one after the other, since each can be large.
        """
        key = XComKey(*listed[:5])
        try:
            entry = self._store.get(key)
        except EntryNotFound:
            return None
        decode = values.shown if len(entry.value) <= DECODED_CHARACTERS else values.undecoded
        shown = decode(entry.value, LISTED_CHARACTERS)
        return {
            "key": key.key,
            "columns": list(zip(values.COLUMNS, shown, strict=True)),
            "link": links.to_entry(key),
        }


def _run(run: DagRun) -> dict[str, Any]:
    dates = ("logical_date", "start_date", "end_date")
    return {
        **{name: getattr(run, name) for name in ("dag_id", "run_id", "state", "run_type")},
        **{name: (time := getattr(run, name)) and time_in_words(time) for name in dates},
        "entries": links.link("entries", {"dag_id": run.dag_id, "run_id": run.run_id}),
    }


def _pages(
    path: str, filters: dict[str, str], offset: int, size: int, total: int
) -> dict[str, str]:
    """Return the links to the previous and the next page, empty where there is none."""
    previous, following = max(offset - size, 0), offset + size
    return {
        "previous": links.link(path, filters | {"offset": previous or ""}) if offset else "",
        "previous_name": "Previous page",
        "next": links.link(path, filters | {"offset": following}) if following < total else "",
        "next_name": "Next page",
    }
