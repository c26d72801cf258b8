"""A request in the journal."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """A request and its response, as the journal stores them.

    `at` is the time of the machine in RFC 3339, `client` the User-Agent, and `path` and `query` are
    as they were sent. `operation` is the version and the operationId, such as `v2.get_xcom_entry`,
    and empty if the path or the method matched no operation. `authorization` is the scheme of the
    credentials in lower case, empty without any; `headers` has them masked. `body` and `response`
    are cut. `total_entries` and `items` are those of a list: the number that the response has in
    `total_entries`, and the number of items on the page. `fault` names the effect of the fault that
    was applied, empty for none. `auth` is the server's setting of that name.
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

    def as_dict(self) -> dict[str, Any]:
        """Return the record as JSON-like data."""
        return asdict(self)
