"""Reading a page of any resource."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from xcom_server import clock
from xcom_server.errors import ResponseTooLarge
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.sqlalchemy_adapter import Row
from xcom_server.storage.queries import Filter, Order
from xcom_server.storage.sql import listing, steps
from xcom_server.storage.sql.resources import Resource, is_due

_FIRST_READ = 4 * 1024 * 1024  # characters of long texts on a page that the first statement reads
_SHORT = 100  # characters of a text that it always reads


def read(
    executor: Executor,
    resource: Resource,
    filter_: Filter,
    *,
    limit: int,
    offset: int = 0,
    order: Sequence[Order] = (),
) -> tuple[list[Row], int]:
    """Return the rows of a page, with the listed columns, and the number of all that match."""
    return _read(executor, resource, filter_, limit, offset, order)


def _read(
    executor: Executor,
    resource: Resource,
    filter_: Filter,
    limit: int,
    offset: int,
    order: Sequence[Order],
    **parameters: Any,
) -> tuple[list[Row], int]:
    """Return the rows of a page, with the listed columns, and the total.

    `parameters` are those of the listed columns. Long texts are read by a second statement, and
    only if they are not longer together than a response may be. Otherwise raises ResponseTooLarge.
    """
    # With a limit of 0 too, the statement for later pages is used: it always returns the total.
    shape = listing.shape_of(resource, filter_, order, has_offset=offset > 0 or limit == 0)
    given = listing.parameters(filter_) | {"limit": limit, "offset": offset} | parameters
    read = executor.search if listing.is_search(filter_) else executor.read
    longest = max(_FIRST_READ // max(limit, 1), _SHORT)
    rows = read(listing.select_page, {**given, "longest": longest}, shape)
    if not rows:
        return [], 0
    total = rows[0][-1]
    if rows[0][0] is None:
        return [], total
    if resource.long_texts and max(lengths := [row[-2] for row in rows]) > longest:
        if sum(lengths) > (limit := executor.backend.limits.max_response_bytes):
            raise ResponseTooLarge(limit)
        rows = read(listing.select_page, {**given, "longest": max(lengths)}, shape)
    return [row[:-2] for row in rows], total


def read_current(
    executor: Executor,
    resource: Resource,
    filter_: Filter,
    *,
    limit: int,
    offset: int = 0,
    order: Sequence[Order] = (),
) -> tuple[list[Row], int]:
    """Return a page of runs or task instances after the steps that were due have been taken.

    The last listed column says whether a step is due. If no row has it, another statement asks.
    """
    now = clock.now()
    rows, total = _read(executor, resource, filter_, limit, offset, order, now=now)
    if rows[0][-1] if rows else executor.read(_any_due, {"now": now})[0][0]:
        take_due_steps(executor)
        rows, total = _read(executor, resource, filter_, limit, offset, order, now=now)
    return [row[:-1] for row in rows], total


def read_stored(
    executor: Executor,
    resource: Resource,
    filter_: Filter,
    *,
    limit: int,
    offset: int = 0,
    order: Sequence[Order] = (),
) -> tuple[list[Row], int]:
    """Return a page of runs or task instances as they are stored."""
    rows, total = _read(executor, resource, filter_, limit, offset, order, now=clock.now())
    return [row[:-1] for row in rows], total


def take_due_steps(executor: Executor) -> None:
    """Take every step of a script that is due."""
    now = clock.now()
    while executor.transaction(
        lambda connection: steps.take_due(executor.backend, connection, now)
    ):
        pass


def _any_due(backend: Backend) -> Select[Any]:
    return select(is_due())
