"""Headers that both versions add to what Airflow answers, for clients that ask for them.

An entry's `ETag` is another one after every write.  `If-Match` makes a change depend on it, and
`If-None-Match: *` on there being no entry; what is not met is a 412 and changes nothing (RFC 9110,
13.1).  A client that sends neither meets Airflow's behaviour.
"""

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from connexion.exceptions import BadRequestProblem
from flask import Response, request

from xcom_server.errors import AlreadyExists, PreconditionFailed, TooManyAttempts, Unavailable
from xcom_server.storage.models import XComEntry

MISMATCH = "The entry is not the one that If-Match or If-None-Match asks for."

RETRY_SECONDS = 1
"""When to try again after the database could not do it."""

MAX_TAGS = 100
"""How many tags If-Match may name; a database takes so many parameters and no more."""

_TAG = re.compile("0|[1-9a-f][0-9a-f]{0,14}|[1-7][0-9a-f]{15}")  # as _tag writes 63 bits


def tagged(response: Response, entry: XComEntry) -> Response:
    """Return an answer about an entry, with the ETag of that entry."""
    response.set_etag(_tag(entry.etag))
    return response


def versions() -> Collection[int] | None:
    """Return the versions that an entry may have to be changed; None stands for any.

    Raises BadRequestProblem for more than MAX_TAGS of them.
    """
    if request.if_none_match.star_tag:
        return ()  # it is there, or it is not found
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    tags = request.if_match.as_set()
    if len(tags) > MAX_TAGS:
        raise BadRequestProblem(detail=f"If-Match names {len(tags)} tags, more than {MAX_TAGS}")
    return {int(tag, 16) for tag in tags if _TAG.fullmatch(tag or "")}


@contextmanager
def if_none_match() -> Iterator[None]:
    """Turn an AlreadyExists into a PreconditionFailed for a client that asked for that."""
    try:
        yield
    except AlreadyExists:
        if request.if_none_match.star_tag:
            raise PreconditionFailed(None) from None
        raise


def told(error: Unavailable) -> str:
    """Return what a client is told that cannot be served now."""
    if error.in_doubt:
        return f"{error.reason} Whether the change was stored is not known."
    if request.method in ("PATCH", "POST", "DELETE"):
        return f"{error.reason} Nothing was changed."
    return error.reason


def explained(response: Response, error: Exception) -> Response:
    """Return a refusal, with the header that says what helps: when to retry, or what is there."""
    if isinstance(error, TooManyAttempts):
        response.headers["Retry-After"] = str(error.seconds)
    if isinstance(error, Unavailable):
        response.headers["Retry-After"] = str(RETRY_SECONDS)
    if isinstance(error, PreconditionFailed) and error.stored is not None:
        response.set_etag(_tag(error.stored))
    return response


def _tag(version: int) -> str:
    return f"{version:x}"
