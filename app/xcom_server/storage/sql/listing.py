"""The SELECT of a list, which returns a page and the total in one round trip.

The first page is read in the order of the index.  A later page is located with the index only,
without reading the table for the rows before it.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, Select, and_, bindparam, func, or_, select, true

from xcom_server import errors
from xcom_server.storage import queries
from xcom_server.storage.database.backend import Backend
from xcom_server.storage.models import MAX_MAP_INDEX, UNMAPPED
from xcom_server.storage.sql.resources import Resource
from xcom_server.storage.sql.tables import dag

NO_MAP_INDEX = -2  # a map index that no row has

_OPERATORS: dict[queries.Operator, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": operator.eq,
    "gte": operator.ge,
    "gt": operator.gt,
    "lte": operator.le,
    "lt": operator.lt,
    "like": lambda column, pattern: column.ilike(pattern, escape="\\"),
    # LIKE ignores the case on SQLite, and the databases have no common function to find a text.
    "contains": lambda column, text: func.replace(column, text, "") != column,
}


class Placeholder(NamedTuple):
    """A comparison with the parameter `operand_<number>`.

    `size` is the number of operands of `in`, whose parameters are `operand_<number>_<index>`.
    """

    field: str
    operator: queries.Operator
    number: int
    size: int


class QueryShape(NamedTuple):
    """The properties of a list that determine its statement.

    `equal` are the fields that must equal parameters, and `conditions` contain placeholders instead
    of operands.  `has_offset` is false for the first page.
    """

    resource: Resource
    equal: tuple[str, ...]
    dag_ids: frozenset[str] | None
    conditions: tuple[tuple[tuple[Placeholder, ...], ...], ...]
    order: tuple[queries.Order, ...]
    has_offset: bool


def shape_of(
    resource: Resource,
    filter_: queries.Filter,
    order: Iterable[queries.Order],
    *,
    has_offset: bool,
) -> QueryShape:
    """Return the shape of a list; raise FilterTooLong for a filter above a maximum."""
    comparisons = _comparisons(filter_)
    _require_short(comparisons)
    numbers = iter(range(len(comparisons)))
    conditions = tuple(
        tuple(tuple(_placeholder(each, next(numbers)) for each in one) for one in condition)
        for condition in filter_.conditions
    )
    return QueryShape(
        resource, tuple(filter_.equal), filter_.dag_ids, conditions, tuple(order), has_offset
    )


def parameters(filter_: queries.Filter) -> dict[str, Any]:
    """Return the parameters of a list's statement for a filter."""
    operands = {
        name: operand
        for number, comparison in enumerate(_comparisons(filter_))
        for name, operand in _operands(number, comparison)
    }
    return {name: _storable(value) for name, value in filter_.equal.items()} | operands


def is_search(filter_: queries.Filter) -> bool:
    """Return whether a list compares the texts of all its rows with a pattern."""
    return any(each.operator in ("like", "contains") for each in _comparisons(filter_))


def with_storable_map_index(parameters: dict[str, Any]) -> dict[str, Any]:
    """Replace a map index outside the column's range with one that no row has."""
    if not UNMAPPED <= parameters.get("map_index", UNMAPPED) <= MAX_MAP_INDEX:
        parameters["map_index"] = NO_MAP_INDEX
    return parameters


def select_page(backend: Backend, shape: QueryShape) -> Select[Any]:
    """Return the SELECT of a page; its parameters are `parameters()`, `limit`, `offset`
    and `longest`, the maximum length of a text.

    Each row has the bounded columns of the resource, then the total.  An empty first page has no
    row; an empty later page has one row with only the total.
    """
    return _late_page(shape) if shape.has_offset else _first_page(shape)


def _first_page(shape: QueryShape) -> Select[Any]:
    total = _count(shape).correlate(None).scalar_subquery()
    joins = shape.resource.joins
    source: FromClause = shape.resource.table
    for join in joins:
        source = source.join(join.table, join.on, isouter=join.outer)
    return (
        select(*shape.resource.bounded, total)
        .select_from(source)
        .where(*_where(shape))
        .order_by(*_order_by(shape))
        .limit(bindparam("limit", None))
    )


def _late_page(shape: QueryShape) -> Select[Any]:
    table = shape.resource.table
    page = (
        _with_needed_joins(select(*table.primary_key), shape, shape.order)
        .where(*_where(shape))
        .order_by(*_order_by(shape))
        .limit(bindparam("limit", None))
        .offset(bindparam("offset", None))
        .subquery()
    )
    total = _count(shape).subquery()
    is_on_page = and_(*(column == page.c[column.name] for column in table.primary_key))
    source = total.outerjoin(page, true()).outerjoin(table, is_on_page)
    for join in shape.resource.joins:
        source = source.outerjoin(join.table, join.on)
    return select(*shape.resource.bounded, *total.c).select_from(source).order_by(*_order_by(shape))


def _count(shape: QueryShape) -> Select[Any]:
    if shape.resource.counter is not None and not (shape.conditions or {*shape.equal} - {"dag_id"}):
        total = func.coalesce(func.sum(shape.resource.counter), 0).label("total")
        return select(total).where(*_equal(shape, dag.c), *_visible(shape, dag.c.dag_id))
    query = _with_needed_joins(select(func.count().label("total")), shape)
    where = _where(shape)
    if where and shape.resource.count_hint is not None and not {"dag_id", "key"} & {*shape.equal}:
        where.append(shape.resource.count_hint)
    return query.where(*where)


def _with_needed_joins(
    query: Select[Any], shape: QueryShape, order: Iterable[queries.Order] = ()
) -> Select[Any]:
    """Return a query from the table of a shape, joined with those that its conditions use."""
    used = {*shape.equal, *(field for field, _ in order), *_compared_fields(shape)}
    tables = [getattr(shape.resource.fields[field], "table", None) for field in used]
    source: FromClause = shape.resource.table
    for join in shape.resource.joins:
        if join.table in tables:
            source = source.join(join.table, join.on)
    return query.select_from(source)


def _compared_fields(shape: QueryShape) -> Iterator[str]:
    for condition in shape.conditions:
        for alternative in condition:
            yield from (each.field for each in alternative)


def _order_by(shape: QueryShape) -> list[ColumnElement[Any]]:
    """Return a total order: ties sort by the resource's, in the direction of the first field."""
    is_descending = bool(shape.order) and shape.order[0].descending
    ties = [queries.Order(field, is_descending) for field in shape.resource.order]
    return [_sorted(_sort_key(shape, each.field), each) for each in (*shape.order, *ties)]


def _sort_key(shape: QueryShape, field: str) -> ColumnElement[Any]:
    """Return a column by which to sort.

    It is an expression if few rows match, because SQLite would otherwise read the index of all ids.
    """
    column = shape.resource.fields[field]
    is_few = shape.resource.few_per in shape.equal and field == "id"
    return func.coalesce(column, "") if is_few else column


def _sorted(column: ColumnElement[Any], order: queries.Order) -> ColumnElement[Any]:
    """Return a column in an order; NULL is the smallest value on every database."""
    if not getattr(column, "nullable", True):
        return column.desc() if order.descending else column
    return column.desc().nulls_last() if order.descending else column.asc().nulls_first()


def _where(shape: QueryShape) -> list[ColumnElement[bool]]:
    conditions = [
        or_(
            *(and_(true(), *(_compare(shape, each) for each in alternative)) for alternative in one)
        )
        for one in shape.conditions
    ]
    fields = shape.resource.fields
    return [*_equal(shape, fields), *_visible(shape, fields["dag_id"]), *conditions]


def _equal(shape: QueryShape, columns: Any) -> list[ColumnElement[bool]]:
    return [columns[field] == bindparam(field, None) for field in shape.equal]


def _visible(shape: QueryShape, column: ColumnElement[Any]) -> list[ColumnElement[bool]]:
    return [] if shape.dag_ids is None else [column.in_(sorted(shape.dag_ids))]


def _compare(shape: QueryShape, placeholder: Placeholder) -> ColumnElement[bool]:
    column = shape.resource.fields[placeholder.field]
    name = f"operand_{placeholder.number}"
    if placeholder.operator == "is_null":
        return column.is_(None)
    if placeholder.operator == "in":
        names = [f"{name}_{index}" for index in range(placeholder.size)]
        return column.in_([bindparam(each, None, column.type) for each in names])
    return _OPERATORS[placeholder.operator](column, bindparam(name, None, column.type))


def _comparisons(filter_: queries.Filter) -> list[queries.Comparison]:
    return [
        comparison
        for condition in filter_.conditions
        for alternative in condition
        for comparison in alternative
    ]


def _require_short(comparisons: Sequence[queries.Comparison]) -> None:
    patterns = (each for each in comparisons if each.operator == "like")
    is_long = any(len(str(each.operand)) > _max_pattern(each.field) for each in patterns)
    if is_long or len(comparisons) > queries.MAX_COMPARISONS:
        raise errors.FilterTooLong


def _max_pattern(field: str) -> int:
    return queries.MAX_PATTERN_OF_LONG_TEXT if field == "conf" else queries.MAX_PATTERN


def _placeholder(comparison: queries.Comparison, number: int) -> Placeholder:
    size = len(comparison.operand) if isinstance(comparison.operand, tuple) else 0
    return Placeholder(comparison.field, comparison.operator, number, size)


def _operands(number: int, comparison: queries.Comparison) -> Iterator[tuple[str, Any]]:
    """Yield the parameters of a comparison."""
    operand = comparison.operand
    if isinstance(operand, tuple):
        for index, each in enumerate(operand):
            yield f"operand_{number}_{index}", _storable(each)
    elif comparison.operator != "is_null":
        yield f"operand_{number}", _storable(operand)


def _storable(operand: Any) -> Any:
    """Return an operand, or None for a text with NUL or an integer out of range: no row has it."""
    if isinstance(operand, str):
        return None if "\0" in operand else operand
    fits = type(operand) is not int or UNMAPPED <= operand <= MAX_MAP_INDEX
    return operand if fits else None
