"""What the page of the emulator shows, read from its HTML."""

import unicodedata
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from xcom_server.emulator.records import RequestRecord
from xcom_server.storage.emulator import EmulatorState

PAGE = "/_emulator/"
RUN = "manual__2026-01-01T00:00:00+00:00"
INSTANCE = f"dags/etl/dagRuns/{RUN}/taskInstances/extract"
ENTRY = f"/api/v1/{INSTANCE}/xcomEntries/return_value"

RECORD = RequestRecord(
    at="2026-01-01T09:30:00.123456+00:00",
    client="python-requests/2.32.5",
    method="GET",
    path=ENTRY,
    query="",
    operation="v1.get_xcom_entry",
    authorization="basic",
    headers={
        "Host": "127.0.0.1:8080",
        "User-Agent": "python-requests/2.32.5",
        "Accept": "*/*",
        "Authorization": "Basic ***",
    },
    body="",
    status=200,
    content_type="application/json",
    response='{"key": "return_value", "value": "{\'rows\': 120}"}',
    total_entries=None,
    items=None,
    milliseconds=1.25,
    fault="",
    auth="any",
)


def record(state: EmulatorState, **fields: Any) -> int:
    """Add a request to the journal, and return its number."""
    state.record(replace(RECORD, **fields).as_dict())
    return state.requests()[-1][0]


class Shown(HTMLParser):
    """The elements of a page, their attributes and the text outside of scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, tag: str, name: str) -> list[str]:
        """Return the values of an attribute of all elements of one kind."""
        return [each[2] for each in self.attributes if each[:2] == (tag, name)]


def hidden(html: str) -> set[str]:
    """Return the characters of a page that are invisible or change the order of others."""
    return {each for each in html if unicodedata.category(each) in ("Cc", "Cf", "Cs")} - {
        "\n",
        "\t",
    }
