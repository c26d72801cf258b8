"""The SELECT of a list, which returns a page and the total in one round trip.

The first page is read in the order of the index.  A later page is located with the index only,
without reading the table for the entries before it.
"""

import operator
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, bindparam, func, or_, select, true

from xcom_server.storage import models
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.sql.statements import equal_to_parameters
from xcom_server.storage.sql.tables import KEY_COLUMNS, OF_ENTRY, column_of, dag_run, xcom

NO_MAP_INDEX = -2  # a map index that no entry has
_LISTED = [column_of(field) for field in models.ListedEntry._fields]
_NATURAL_ORDER: tuple[models.Field, ...] = ("dag_id", "task_id", "run_id", "map_index", "key")

_OPERATORS: dict[models.Operator, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": operator.eq,
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
    "like": lambda column, pattern: column.ilike(pattern, escape="\\"),
}


class Placeholder(NamedTuple):
    """A comparison with the parameter `operand_<number>`."""

    field: models.Field
    operator: models.Operator
    number: int


class QueryShape(NamedTuple):
    """The properties of a list that determine its statement.

    `columns` are the given columns of the key, and `conditions` contain placeholders instead of
    operands.  `has_offset` is false for the first page.
    """

    columns: tuple[str, ...]
    dag_ids: frozenset[str] | None
    conditions: tuple[tuple[tuple[Placeholder, ...], ...], ...]
    order: tuple[models.Order, ...]
    has_offset: bool


def shape_of(
    filter_: models.XComFilter, order: Iterable[models.Order], *, has_offset: bool
) -> QueryShape:
    """Return the shape of a list."""
    numbers = iter(range(len(_comparisons(filter_))))
    conditions = tuple(
        tuple(
            tuple(Placeholder(each.field, each.operator, next(numbers)) for each in alternative)
            for alternative in condition
        )
        for condition in filter_.conditions
    )
    return QueryShape(
        tuple(_key_parameters(filter_)), filter_.dag_ids, conditions, tuple(order), has_offset
    )


def parameters(filter_: models.XComFilter) -> dict[str, Any]:
    """Return the parameters of a list's statement for a filter."""
    return _key_parameters(filter_) | {
        f"operand_{number}": _operand(comparison)
        for number, comparison in enumerate(_comparisons(filter_))
    }


def with_storable_map_index(parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace a map index outside the column's range with one that no entry has."""
    if not models.UNMAPPED <= parameters.get("map_index", models.UNMAPPED) <= models.MAX_MAP_INDEX:
        parameters["map_index"] = NO_MAP_INDEX
    return parameters


def select_page(backend: Backend, shape: QueryShape) -> Select[Any]:
    """Return the SELECT of a page; its parameters are `parameters()`, `limit` and `offset`.

    Each row has the columns of ListedEntry, then the total.  An empty first page has no row; an
    empty later page has one row with only the total.
    """
    return _late_page(shape) if shape.has_offset else _first_page(shape)


def _first_page(shape: QueryShape) -> Select[Any]:
    total = _count(shape).correlate(None).scalar_subquery()
    return (
        select(*_LISTED, total)
        .join_from(xcom, dag_run, OF_ENTRY)
        .where(*_where(shape))
        .order_by(*_order_by(shape))
        .limit(bindparam("limit", None))
    )


def _late_page(shape: QueryShape) -> Select[Any]:
    keys = select(*xcom.primary_key).select_from(xcom)
    if _needs_dag_run(shape, shape.order):
        keys = keys.join(dag_run, OF_ENTRY)
    page = (
        keys.where(*_where(shape))
        .order_by(*_order_by(shape))
        .limit(bindparam("limit", None))
        .offset(bindparam("offset", None))
        .subquery()
    )
    total = _count(shape).subquery()
    is_on_page = and_(*(column == page.c[column.name] for column in xcom.primary_key))
    return (
        select(*_LISTED, *total.c)
        .select_from(
            total.outerjoin(page, true()).outerjoin(xcom, is_on_page).outerjoin(dag_run, OF_ENTRY)
        )
        .order_by(*_order_by(shape))
    )


def _count(shape: QueryShape) -> Select[Any]:
    query = select(func.count().label("total")).select_from(xcom)
    if _needs_dag_run(shape):
        query = query.join(dag_run, OF_ENTRY)
    where = _where(shape)
    if where and not {"dag_id", "key"} & set(shape.columns):
        # True for every entry; it makes SQLite count in the index instead of the table.
        where.append(xcom.c.dag_id >= "")
    return query.where(*where)


def _order_by(shape: QueryShape) -> list[ColumnElement[Any]]:
    """Return a total order: ties sort by primary key, in the direction of the first field."""
    is_descending = bool(shape.order) and shape.order[0].descending
    ties = [models.Order(field, is_descending) for field in _NATURAL_ORDER]
    return [
        column_of(field).desc() if descending else column_of(field)
        for field, descending in (*shape.order, *ties)
    ]


def _needs_dag_run(shape: QueryShape, order: Iterable[models.Order] = ()) -> bool:
    """Return whether the conditions or the order use a date of the DAG run."""
    compared = {
        each.field
        for condition in shape.conditions
        for alternative in condition
        for each in alternative
    }
    return not compared.union(field for field, _ in order).isdisjoint(models.RunDates._fields)


def _where(shape: QueryShape) -> list[ColumnElement[bool]]:
    visible = [] if shape.dag_ids is None else [xcom.c.dag_id.in_(sorted(shape.dag_ids))]
    conditions = [
        or_(*(and_(true(), *map(_compare, alternative)) for alternative in condition))
        for condition in shape.conditions
    ]
    return [*equal_to_parameters(shape.columns), *visible, *conditions]


def _compare(placeholder: Placeholder) -> ColumnElement[bool]:
    column = column_of(placeholder.field)
    operand = bindparam(f"operand_{placeholder.number}", None, column.type)
    return _OPERATORS[placeholder.operator](column, operand)


def _comparisons(filter_: models.XComFilter) -> list[models.Comparison]:
    return [
        comparison
        for condition in filter_.conditions
        for alternative in condition
        for comparison in alternative
    ]


def _key_parameters(filter_: models.XComFilter) -> dict[str, Any]:
    given = {name: getattr(filter_, name) for name in KEY_COLUMNS}
    return with_storable_map_index(
        {name: value for name, value in given.items() if value is not None}
    )


def _operand(comparison: models.Comparison) -> Any:
    """Return the operand, or None, which equals nothing, for a map index out of range."""
    operand = comparison.operand
    fits = not isinstance(operand, int) or models.UNMAPPED <= operand <= models.MAX_MAP_INDEX
    return operand if fits else None
