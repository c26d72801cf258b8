"""A request of the journal with its path, query and bodies parsed, as rules read it."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode

from xcom_server.emulator.records import RequestRecord

ANY = "~"  # matches any DAG, run or task in lists
READ_ENTRY = ("getXComValue", "get_xcom_entry")
LIST_ENTRIES = ("getXComEntry", "get_xcom_entries")
TRIGGER = ("post_dag_run", "trigger_dag_run")
PUBLIC = ("get_health", "get_version")  # operations that need no credentials
TOKENS = ("token", "access_token", "api_key", "apikey")
"""Parameters in which clients send credentials; no operation reads them."""

_READABLE = ":,~*/"  # characters that are not percent-encoded in a query
_VERSION = re.compile(r"/api/(v\d+)(?:/|$)")


@dataclass(frozen=True)
class Exchange:
    """A request and its response; `number` is that of the journal."""

    number: int
    record: RequestRecord

    @cached_property
    def version(self) -> str:
        """The version of the API in the path, such as "v1"; empty for another path."""
        found = _VERSION.match(self.record.path)
        return found[1] if found else ""

    @cached_property
    def name(self) -> str:
        """The operationId, empty if no operation matched."""
        return self.record.operation.rpartition(".")[2]

    @property
    def is_answered(self) -> bool:
        """Whether the status is below 400."""
        return self.record.status < 400

    @property
    def is_empty(self) -> bool:
        """Whether the server found nothing: a 404, or a list without items."""
        return self.record.status == 404 or self.record.items == 0

    @cached_property
    def ids(self) -> dict[str, str]:
        """The ids in the path by the name before them, such as `dagRuns`; the key has slashes."""
        path, _, key = self.record.path.partition("/xcomEntries/")
        parts = path.removeprefix(f"/api/{self.version}/").split("/")
        found = {name: unquote(value) for name, value in zip(parts[::2], parts[1::2], strict=False)}
        return found | ({"xcomEntries": unquote(key)} if key else {})

    @cached_property
    def parameters(self) -> list[tuple[str, str]]:
        """The parameters of the query, in their order."""
        return parse_qsl(self.record.query, keep_blank_values=True)

    def parameter(self, name: str) -> str | None:
        """Return the last value of a parameter, None without it."""
        return dict(self.parameters).get(name)

    def number_of(self, name: str) -> int | None:
        """Return a parameter as an integer, None without it or if it is not a number."""
        value = self.parameter(name)
        return int(value) if value and re.fullmatch(r"-?[0-9]{1,18}", value) else None

    @cached_property
    def body(self) -> dict[str, Any]:
        """The object in the body; empty if there is none, or if the journal cut it."""
        return _object(self.record.body)

    @cached_property
    def response(self) -> dict[str, Any]:
        """The object in the response; empty if there is none, or if the journal cut it."""
        return _object(self.record.response)

    @cached_property
    def errors(self) -> list[dict[str, Any]]:
        """The errors of a 422 of v2, with `type`, `msg` and `loc`, a list that is not empty."""
        detail = self.response.get("detail")
        return [each for each in detail if _is_error(each)] if isinstance(detail, list) else []

    @property
    def phrase(self) -> str:
        """The standard text of the status, such as "Not Found"; empty for an unknown one."""
        known = self.record.status in HTTPStatus.__members__.values()
        return HTTPStatus(self.record.status).phrase if known else ""

    @cached_property
    def error(self) -> str:
        """The text of an error: the title and the detail, or the messages about each field."""
        if self.errors:
            return "; ".join(_field_error(each) for each in self.errors)
        texts = (self.response.get(name) for name in ("title", "detail", "error"))
        shown = (each for each in texts if isinstance(each, str) and each != self.phrase)
        return ": ".join(each.partition("\n\n")[0] for each in shown)  # without the schema

    def request(
        self, path: str = "", query: Sequence[tuple[str, str]] | None = None, method: str = ""
    ) -> str:
        """Return a request in one line, this one with other parts."""
        given = self.parameters if query is None else query
        text = urlencode(given, safe=_READABLE, quote_via=quote)
        target = (path or self.record.path) + (f"?{text}" if text else "")
        return f"{method or self.record.method} {target}"

    def without(self, *names: str) -> list[tuple[str, str]]:
        """Return the parameters except these."""
        return [(name, value) for name, value in self.parameters if name not in names]

    def with_body(self, fields: Mapping[str, Any]) -> str:
        """Return this request with these fields in its body, and without those that are `...`."""
        body = {name: each for name, each in {**self.body, **fields}.items() if each is not ...}
        return f"{self.request()} with the body {json.dumps(body)}"

    def up_to(self, name: str) -> str:
        """Return the path up to a name such as `dagRuns`, which is its last part."""
        return self.record.path.partition(f"/{name}/")[0] + f"/{name}"


@dataclass(frozen=True)
class Parameter:
    """A query parameter of an operation.

    `is_list` is whether it has several values, and `is_repeated` whether each of them is a
    parameter of its own.
    """

    is_list: bool
    is_repeated: bool


Parameters = Mapping[str, Mapping[str, Parameter]]  # by the operation, such as "v1.get_dags"


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _is_error(item: Any) -> bool:
    return isinstance(item, dict) and isinstance(item.get("loc"), list) and bool(item["loc"])


def _field_error(error: Mapping[str, Any]) -> str:
    return f"{'.'.join(map(str, error['loc']))}: {error.get('msg', '')}"
