"""A request in the journal."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

MAX_RECORD = 16 * 1024  # bytes of a record as JSON
MAX_BODY = 4000  # characters of the body, and of the response
MAX_URL = 1000  # characters of the path, and of the query
MAX_HEADER = 200  # characters of a header's name, and of its value
MAX_HEADERS = 3000  # characters of all headers

_BYTES = 12  # of a character in JSON at most, such as \ud83d\ude00
_OTHERS = 1500  # bytes of the other fields and of the syntax at most
_SMALLER = 16  # the texts of a record above MAX_RECORD are divided by this


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A request and its response, as the journal stores them.

    `at` is the time of the machine in RFC 3339, `client` the User-Agent, and `path` and `query` are
    as they were sent, without a base path. `operation` is the endpoint, such as
    `v2.get_xcom_entry` or `create_token`, and empty if the path or the method matched no operation.
    `authorization` is the scheme of the credentials in lower case, empty without any and `other`
    for an unknown one; `headers` has them masked. `body` and `response` are cut; the response is
    not compressed, and empty for a stream. `content_type` is that of the response. `total_entries`
    and `items` are those of a list: the number that the response has in `total_entries`, and the
    number of items on the page. `fault` names the effect of the fault that was applied, empty for
    none. `auth` is the server's setting of that name.
    """

    at: str
    client: str
    method: str
    path: str
    query: str
    operation: str
    authorization: str
    headers: Mapping[str, str]
    body: str
    status: int
    content_type: str
    response: str
    total_entries: int | None
    items: int | None
    milliseconds: float
    fault: str
    auth: str

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the record with these fields, which `as_dict` returned."""
        return cls(**data)

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON-like data."""
        return {name: getattr(self, name) for name in _NAMES}

    def bounded(self) -> Self:
        """Return the record, with shorter texts if it were larger than MAX_RECORD as JSON.

        All texts except the body and the response must be ASCII without control characters.
        """
        texts = (self.path, self.query, self.body, self.response)
        headers = sum(len(name) + len(value) for name, value in self.headers.items())
        if (sum(map(len, texts)) + headers) * _BYTES < MAX_RECORD - _OTHERS:
            return self
        if len(json.dumps(self.as_dict())) <= MAX_RECORD:
            return self
        path, query, body, response = (cut(each, len(each) // _SMALLER) for each in texts)
        return replace(self, path=path, query=query, body=body, response=response)


_NAMES = tuple(field.name for field in fields(RequestRecord))


def cut(text: str, limit: int) -> str:
    """Return a text of at most `limit` characters; the last one of a longer text is an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + "…"
