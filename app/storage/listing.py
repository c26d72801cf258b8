"""How a list is asked of the database: which entries match, how many, in which order."""

import operator
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, false, func, or_, select, true

from app.storage import runs
from app.storage.entry import (
    MAX_MAP_INDEX,
    UNMAPPED,
    Comparison,
    Field,
    Order,
    XComFilter,
    XComKey,
)
from app.storage.tables import dag_run, xcom

_LISTED = (xcom.c.dag_id, xcom.c.run_id, xcom.c.task_id, xcom.c.map_index, xcom.c.key,
           xcom.c.timestamp, *runs.DATES)
_NATURAL = (Order("dag_id"), Order("task_id"), Order("run_id"), Order("map_index"), Order("key"))
_OF_RUN = ("logical_date", "run_after")

_OPERATORS: dict[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": operator.eq, "ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt,
    "like": lambda column, pattern: column.ilike(pattern, escape="\\"),
}


def count(wanted: XComFilter) -> Select[int]:
    """Return the query for how many entries match."""
    query = select(func.count()).select_from(xcom)
    if any(comparison.field in _OF_RUN for condition in wanted.conditions
           for alternative in condition for comparison in alternative):
        query = query.join(dag_run, runs.OF_ENTRY)
    matching = _matching(wanted)
    if matching and wanted.dag_id is None and wanted.key is None:
        # Every name does; but SQLite, which would read the table with its values, reads the index.
        matching.append(xcom.c.dag_id >= "")
    return query.where(*matching)


def page(wanted: XComFilter, order: Sequence[Order], limit: int,
         offset: int) -> Select[tuple[Any, ...]]:
    """Return the query for a page of entries, without their values.

    Entries that `order` leaves equal follow one another in the natural order, turned round where
    the first field is descending.
    """
    ties = [Order(field, order[0].descending if order else False) for field, _ in _NATURAL]
    return (select(*_LISTED).join(dag_run, runs.OF_ENTRY).where(*_matching(wanted))
            .order_by(*(_column(field).desc() if descending else _column(field)
                        for field, descending in [*order, *ties]))
            .limit(limit).offset(offset))


def named(name: XComKey | XComFilter) -> list[ColumnElement[bool]]:
    """Return the conditions that the entries of this name, or with these names, meet."""
    given: dict[Field, str | int | None] = {
        "dag_id": name.dag_id, "run_id": name.run_id, "task_id": name.task_id,
        "map_index": name.map_index, "key": name.key}
    return [_compared(Comparison(field, "eq", value))
            for field, value in given.items() if value is not None]


def _matching(wanted: XComFilter) -> list[ColumnElement[bool]]:
    shown = [] if wanted.dag_ids is None else [xcom.c.dag_id.in_(sorted(wanted.dag_ids))]
    met = [or_(*(and_(true(), *map(_compared, alternative)) for alternative in condition))
           for condition in wanted.conditions]
    return [*named(wanted), *shown, *met]


def _compared(comparison: Comparison) -> ColumnElement[bool]:
    field, name, operand = comparison
    if field == "map_index" and not UNMAPPED <= operand <= MAX_MAP_INDEX:  # type: ignore[operator]
        return false()  # databases refuse to compare with a number that no column can hold
    return _OPERATORS[name](_column(field), operand)


def _column(field: str) -> ColumnElement[Any]:
    return (dag_run if field in _OF_RUN else xcom).c[field]
