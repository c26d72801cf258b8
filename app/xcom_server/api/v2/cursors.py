"""Cursors of lists, which look like those of Airflow 3.3.2.

Airflow's cursor holds the values by which the last row of a page sorts. This server's holds the
row's position, counted from 1. `~` before it means the page before this row.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from connexion.exceptions import BadRequestProblem

from xcom_server.storage.queries import Filter, Order, Page

Row = TypeVar("Row")

TOTAL_LIMIT = 50_000  # the maximum of `total_entries` in a response with a cursor

_BACKWARD = "~"
_WIDTHS = {0xCC: 1, 0xCD: 2, 0xCE: 4, 0xCF: 8}
"""The first byte of an integer in MessagePack -> the number of bytes that follow."""


def read_page(
    list_rows: Callable[..., Page[Row]],
    filter_: Filter,
    *,
    limit: int,
    offset: int,
    order: Sequence[Order],
    cursor: str | None,
) -> tuple[Page[Row], dict[str, Any]]:
    """Return a page of a list, and the fields of the response about its position.

    `list_rows` is the method `list` of a store. If there is a cursor, the offset is ignored. Raises
    BadRequestProblem for a cursor that is not one.
    """
    start, size = (offset, limit) if cursor is None else _window(cursor, limit)
    page = list_rows(filter_, limit=size, offset=start, order=order)
    if cursor is None:
        return page, no_cursor(page.total_entries)
    return page, _fields(start, len(page.entries), page.total_entries)


def _window(cursor: str, limit: int) -> tuple[int, int]:
    """Return the offset and the size of the page at a cursor; an empty cursor is the first page.

    Raises BadRequestProblem for a cursor that is not one.
    """
    if not cursor:
        return 0, limit
    if not cursor.startswith(_BACKWARD):
        return _decode(cursor), limit
    before = max(_decode(cursor.removeprefix(_BACKWARD)) - 1, 0)
    return max(before - limit, 0), min(before, limit)


def _fields(offset: int, size: int, total: int) -> dict[str, Any]:
    """Return the fields of a response with a cursor, for a page of `size` rows at an offset."""
    end = offset + size
    return {
        "total_entries": min(total, TOTAL_LIMIT),
        "total_entries_limit": TOTAL_LIMIT,
        "next_cursor": _encode(end) if end < total else None,
        "previous_cursor": _BACKWARD + _encode(offset + 1) if offset else None,
    }


def no_cursor(total: int) -> dict[str, Any]:
    """Return the same fields of a response to a request without a cursor."""
    names = ("total_entries_limit", "next_cursor", "previous_cursor")
    return {"total_entries": total, **dict.fromkeys(names)}


def _encode(number: int) -> str:
    """Return a number as an array of MessagePack, in base64 without padding."""
    if number < 128:
        packed = bytes([number])
    else:
        kind, width = next(each for each in _WIDTHS.items() if number < 256 ** each[1])
        packed = bytes([kind]) + number.to_bytes(width)
    return base64.urlsafe_b64encode(b"\x91" + packed).decode().rstrip("=")


def _decode(token: str) -> int:
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (binascii.Error, ValueError):
        packed = b""
    if len(packed) == 2 and packed[0] == 0x91 and packed[1] < 128:
        return packed[1]
    if len(packed) > 2 and packed[0] == 0x91 and _WIDTHS.get(packed[1]) == len(packed) - 2:
        return min(int.from_bytes(packed[2:]), 2**63 - 1)
    raise BadRequestProblem(detail="Invalid cursor token")
