"""`ETag`, `If-Match`, `If-None-Match` and `Retry-After`, which both versions add to Airflow's API.

The ETag of an entry changes with every write. With `If-Match` a change is only made to an entry
with one of these ETags, and with `If-None-Match: *` an entry is only created; otherwise the answer
is a 412 and nothing changes (RFC 9110, 13.1). Without these headers the API behaves like Airflow.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from connexion.exceptions import BadRequestProblem
from flask import Response, request

from xcom_server.errors import AlreadyExists, PreconditionFailed, TooManyAttempts, Unavailable
from xcom_server.storage.models import XComEntry

PRECONDITION_DETAIL = "The entry is not the one that If-Match or If-None-Match asks for."

RETRY_SECONDS = 1  # what `Retry-After` says when the database is unavailable
MAX_ETAGS = 100  # how many ETags If-Match may list; each becomes a parameter of a SQL statement
_ETAG = re.compile("0|[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15}")  # 63 bits in hex


def with_etag(response: Response, entry: XComEntry) -> Response:
    """Return the response with the ETag of its entry."""
    response.set_etag(f"{entry.etag:x}")
    return response


def if_match() -> Collection[int] | None:
    """Return the ETags that an entry must have to be changed; None allows any.

    Raises BadRequestProblem for more than MAX_ETAGS.
    """
    if request.if_none_match.star_tag:
        return ()  # an existing entry fails the condition, a missing one is not found
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    etags = request.if_match.as_set()
    if len(etags) > MAX_ETAGS:
        raise BadRequestProblem(detail=f"If-Match names {len(etags)} tags, more than {MAX_ETAGS}")
    return {int(etag, 16) for etag in etags if _ETAG.fullmatch(etag or "")}


@contextmanager
def if_none_match() -> Iterator[None]:
    """Turn AlreadyExists into PreconditionFailed if the request has `If-None-Match: *`."""
    try:
        yield
    except AlreadyExists:
        if request.if_none_match.star_tag:
            raise PreconditionFailed(None) from None
        raise


def unavailable_detail(error: Unavailable) -> str:
    """Return the text of a 503, which says whether a change was made."""
    if error.in_doubt:
        return f"{error.reason} Whether the change was stored is not known."
    if request.method in ("PATCH", "POST", "DELETE"):
        return f"{error.reason} Nothing was changed."
    return error.reason


def with_error_headers(response: Response, error: Exception) -> Response:
    """Return the response to an error with `Retry-After` or the stored entry's ETag."""
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.seconds)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, PreconditionFailed) and error.stored is not None:
        response.set_etag(f"{error.stored:x}")
    return response
