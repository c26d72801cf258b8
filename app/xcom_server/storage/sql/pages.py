"""Reading a page of any resource."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select

from xcom_server import clock
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.database.executor import Executor
from xcom_server.storage.database.sqlalchemy_adapter import Row
from xcom_server.storage.queries import Filter, Order
from xcom_server.storage.sql import listing, steps
from xcom_server.storage.sql.resources import Resource, is_due


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
    rows, total = _read(executor, resource, filter_, limit, offset, order)
    return [row[:-1] for row in rows], total


def _read(
    executor: Executor,
    resource: Resource,
    filter_: Filter,
    limit: int,
    offset: int,
    order: Sequence[Order],
    **parameters: Any,
) -> tuple[list[Row], int]:
    """Return the rows of a page, which end with the total, and the total.

    `parameters` are those of the listed columns.
    """
    # With a limit of 0 too, the statement for later pages is used: it always returns the total.
    shape = listing.shape_of(resource, filter_, order, has_offset=offset > 0 or limit == 0)
    given = listing.parameters(filter_) | {"limit": limit, "offset": offset} | parameters
    read = executor.search if listing.is_search(filter_) else executor.read
    rows = read(listing.select_page, given, shape)
    if not rows:
        return [], 0
    return [] if rows[0][0] is None else rows, rows[0][-1]


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
    if rows[0][-2] if rows else executor.read(_any_due, {"now": now})[0][0]:
        take_due_steps(executor)
        rows, total = _read(executor, resource, filter_, limit, offset, order, now=now)
    return [row[:-2] for row in rows], total


def take_due_steps(executor: Executor) -> None:
    """Take every step of a script that is due."""
    now = clock.now()
    while executor.transaction(
        lambda connection: steps.take_due(executor.backend, connection, now)
    ):
        pass


def _any_due(backend: Backend) -> Select[Any]:
    return select(is_due())
