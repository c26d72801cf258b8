"""`ETag`, `If-Match`, `If-None-Match` and `Retry-After`, which both versions add to Airflow's API.

Every write changes the ETag of an entry. `If-Match` lists ETags, one of which the entry must
have. `If-None-Match: *` prevents changes to an existing entry. If the condition is not met, the
response is a 412 and nothing changes (RFC 9110, 13.1).
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from connexion.exceptions import BadRequestProblem
from flask import Response, request

from xcom_server.api.authorization import only_reads
from xcom_server.errors import (
    AlreadyExists,
    PreconditionFailed,
    ResponseTooLarge,
    TooManyAttempts,
    Unavailable,
)
from xcom_server.storage.models import XComEntry

_VALUE_OPERATIONS = (".getXComValue", ".get_xcom_entry")

PRECONDITION_DETAIL = "The condition in If-Match or If-None-Match is false for the entry."

RETRY_SECONDS = 1  # the `Retry-After` of responses when the database is unavailable
MAX_ETAGS = 100  # in one If-Match header; each becomes a parameter of a SQL statement
_ETAG = re.compile("0|[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15}")  # 63 bits in hex


def with_etag(response: Response, entry: XComEntry) -> Response:
    """Set the `ETag` header of a response to the ETag of its entry, and return the response."""
    response.set_etag(f"{entry.etag:x}")
    return response


def if_match() -> Collection[int] | None:
    """Return the ETags that permit a change of the entry; None permits any.

    Reads `If-Match` and `If-None-Match` of the current request. An ETag that this server cannot
    have issued is left out. Raises BadRequestProblem for more than MAX_ETAGS.
    """
    if request.if_none_match.star_tag:
        return ()  # an existing entry never matches, and a missing one is a 404
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    etags = request.if_match.as_set()
    if len(etags) > MAX_ETAGS:
        raise BadRequestProblem(detail=f"If-Match lists {len(etags)} ETags, more than {MAX_ETAGS}")
    return {int(etag, 16) for etag in etags if _ETAG.fullmatch(etag or "")}


@contextmanager
def if_none_match() -> Iterator[None]:
    """Convert AlreadyExists to PreconditionFailed if the request has `If-None-Match: *`."""
    try:
        yield
    except AlreadyExists:
        if request.if_none_match.star_tag:
            raise PreconditionFailed(None) from None
        raise


def unavailable_detail(error: Unavailable) -> str:
    """Return the detail of a 503: the reason and, for a write, whether anything was changed."""
    if error.in_doubt:
        return f"{error.reason} It is not known whether the change was stored."
    if request.method in ("PATCH", "POST", "PUT", "DELETE"):
        return f"{error.reason} Nothing was changed."
    return error.reason


def too_large_detail(error: ResponseTooLarge) -> str:
    """Return the detail of a 507: how to read less or, for a write, what was stored."""
    if error.is_refused:
        return f"{error} Nothing was stored."
    if not only_reads():
        return f"{error} If the request changes anything, the change was stored."
    if (request.endpoint or "").endswith(_VALUE_OPERATIONS):
        return f"{error} With stringify=true, or in /api/v2, the response is smaller."
    return f"{error} Select fewer rows, for example with a smaller limit."


def with_error_headers(response: Response, error: Exception) -> Response:
    """Add the headers of an error to its response, and return the response.

    `Retry-After` is in seconds. A 412 has the `ETag` of the stored entry if it was read.
    """
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.seconds)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, PreconditionFailed) and error.stored is not None:
        response.set_etag(f"{error.stored:x}")
    return response
