"""The views of the journal: the list of requests, its new rows, and one request."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from flask import Response, request

from xcom_server.api.emulator.journal import JournalApi, matches
from xcom_server.api.emulator.page import curl, links, rendering
from xcom_server.api.emulator.page.status import status
from xcom_server.emulator.masks import MASK
from xcom_server.emulator.records import MAX_BODY, MAX_URL, RequestRecord
from xcom_server.emulator.verdicts import Judgment
from xcom_server.storage.emulator import MAX_REQUESTS, EmulatorState

PAGE = 100  # requests in the list
NO_OPERATION = "none"  # in the filter, for requests that match no operation

_MASKED = f"Replace {MASK}, which stands for credentials."
_CUT = "The journal has only the start of the {}, so the command is not complete."
_CREDENTIALS = {
    "basic": "Set AIRFLOW_USER to NAME:PASSWORD, because the journal has no credentials.",
    "bearer": "Set TOKEN to a token from /auth/token, because the journal has no credentials.",
}


class Item(NamedTuple):
    """A request in the journal with its verdict."""

    number: int
    record: RequestRecord
    judgment: Judgment

    @property
    def target(self) -> str:
        """The path and the query."""
        return f"{self.record.path}?{self.record.query}" if self.record.query else self.record.path


class RequestViews:
    """The views of the journal."""

    def __init__(self, state: EmulatorState, journal: JournalApi) -> None:
        self._state = state
        self._journal = journal

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "show_requests": self.show_requests,
            "show_new_requests": self.show_new_requests,
            "show_request": self.show_request,
        }

    def show_requests(self, *, before: int, **filters: str) -> Response:
        """Return the newest requests that match the filters and have a number below `before`."""
        items = self._items()
        found = [each for each in _matching(items, filters) if not before or each.number < before]
        return rendering.page(
            "requests.html",
            **status(self._state, "requests"),
            **_rows(items, found),
            is_whole=True,
            filters=filters,
            clients=sorted({each.record.client for each in items} - {""}),
            operations=sorted({each.record.operation for each in items} - {""}),
            rows="" if before else links.link("page/rows", filters),
            reload=links.link("", filters),
            pages=_pages(found, filters, before),
            most=PAGE,
            most_recorded=MAX_REQUESTS,
            url=_url(),
        )

    def show_new_requests(self, *, after: int, **filters: str) -> Response:
        """Return the rows of the requests after a number, or 204 if there are none.

        If the request with that number is not in the journal, which has been emptied since, return
        the rows of the whole list.
        """
        numbers = [number for number, _ in self._state.requests(after=max(after - 1, 0))]
        is_whole = after > 0 and after not in numbers
        if not is_whole and not any(number > after for number in numbers):
            return Response(status=204)
        items = self._items()
        newer = [each for each in items if is_whole or each.number > after]
        found = _matching(newer, filters)
        return rendering.page("rows.html", base="", is_whole=is_whole, **_rows(items, found))

    def show_request(self, *, number: int) -> Response:
        """Return one request with links to those before and after it."""
        items = {each.number: each for each in self._items()}
        view = status(self._state, "requests")
        if number not in items:
            text = f"Request #{number} is not in the journal, which has the newest {MAX_REQUESTS}."
            return rendering.page("missing.html", 404, **view, text=text)
        item = items[number]
        return rendering.page(
            "request.html",
            **view,
            item=item,
            curl=_command(item),
            notes=_notes(item.record),
            pages=_neighbors(number, items),
        )

    def _items(self) -> list[Item]:
        return [Item(*each) for each in self._journal.judged()]


def _matching(items: Sequence[Item], filters: dict[str, str]) -> list[Item]:
    """Return the items that match the filters, newest first."""
    operation = filters["operation"] or "*"
    return [
        each
        for each in reversed(items)
        if matches(
            each.record,
            each.judgment,
            client=filters["client"],
            operation="" if operation == NO_OPERATION else operation,
            verdict=filters["verdict"] or None,
        )
    ]


def _rows(items: Sequence[Item], found: Sequence[Item]) -> dict[str, Any]:
    return {"items": found[:PAGE], "newest": items[-1].number if items else 0}


def _pages(found: Sequence[Item], filters: dict[str, str], before: int) -> dict[str, str]:
    older = {"before": str(found[PAGE - 1].number)} if len(found) > PAGE else {}
    return {
        "previous": links.link("", filters) if before else "",
        "previous_name": "Newest",
        "next": links.link("", filters | older) if older else "",
        "next_name": "Older",
    }


def _neighbors(number: int, items: dict[int, Item]) -> dict[str, str]:
    before, after = number - 1, number + 1
    return {
        "previous": str(before) if before in items else "",
        "previous_name": f"#{before}",
        "next": str(after) if after in items else "",
        "next_name": f"#{after}",
    }


def _url() -> str:
    return request.host_url.rstrip("/") + request.script_root


def _command(item: Item) -> str:
    record = item.record
    return curl.command(
        _url(), record.method, item.target, record.headers, record.authorization, record.body
    )


def _notes(record: RequestRecord) -> list[str]:
    """Return what has to be known before the command is run."""
    notes = [_CREDENTIALS[record.authorization]] if record.authorization in _CREDENTIALS else []
    if MASK in record.path + record.query + record.body:
        notes.append(_MASKED)
    if _is_cut(record.body, MAX_BODY):
        notes.append(_CUT.format("body"))
    if _is_cut(record.path, MAX_URL) or _is_cut(record.query, MAX_URL):
        notes.append(_CUT.format("URL"))
    return notes


def _is_cut(text: str, limit: int) -> bool:
    return len(text) >= limit and text.endswith("…")
