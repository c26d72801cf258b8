"""How a list is asked of the database: one statement for how many entries match and for a page.

A first page is read as the index gives it.  A later one is found in the index alone, which goes
past the entries before it without reading them; only what is on the page is read from the tables.
"""

import itertools
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Dialect,
    Select,
    and_,
    bindparam,
    func,
    or_,
    select,
    true,
)

from xcom_server.storage.database.compiled import CompiledStatement
from xcom_server.storage.models import (
    MAX_MAP_INDEX,
    UNMAPPED,
    Comparison,
    Condition,
    Order,
    XComFilter,
)
from xcom_server.storage.sql import parents
from xcom_server.storage.sql.tables import dag_run, xcom

NO_MAP_INDEX = -2
"""A map index that no entry has."""

_LISTED = (xcom.c.dag_id, xcom.c.run_id, xcom.c.task_id, xcom.c.map_index, xcom.c.key,
           xcom.c.timestamp, *parents.DATES)
_NATURAL = (Order("dag_id"), Order("task_id"), Order("run_id"), Order("map_index"), Order("key"))
_OF_RUN = ("logical_date", "run_after")

_OPERATORS: dict[str, Callable[[ColumnElement[Any], Any], ColumnElement[bool]]] = {
    "eq": operator.eq, "ge": operator.ge, "gt": operator.gt, "le": operator.le, "lt": operator.lt,
    "like": lambda column, pattern: column.ilike(pattern, escape="\\"),
}


class Form(NamedTuple):
    """What a list has in common with others that one statement answers.

    `given` are the names that it is of; `conditions` are numbers instead of operands, those of the
    parameters that take them; a `later` page is any but the first.
    """

    given: tuple[str, ...]
    dag_ids: frozenset[str] | None
    conditions: tuple[Condition, ...]
    order: tuple[Order, ...]
    later: bool


def form(wanted: XComFilter, order: Iterable[Order], *, later: bool) -> Form:
    """Return the form of a list."""
    numbers = itertools.count()
    conditions = tuple(
        tuple(tuple(comparison._replace(operand=next(numbers)) for comparison in alternative)
              for alternative in condition) for condition in wanted.conditions)
    return Form(tuple(names(wanted)), wanted.dag_ids, conditions, tuple(order), later)


def parameters(wanted: XComFilter) -> dict[str, Any]:
    """Return what the statement for a list takes of a filter: names and operands."""
    compared = itertools.chain.from_iterable(itertools.chain.from_iterable(wanted.conditions))
    return names(wanted) | {f"operand_{number}": _operand(comparison)
                            for number, comparison in enumerate(compared)}


def names(wanted: XComFilter) -> dict[str, Any]:
    """Return the names that a filter gives, as parameters."""
    given = {"dag_id": wanted.dag_id, "run_id": wanted.run_id, "task_id": wanted.task_id,
             "map_index": wanted.map_index, "key": wanted.key}
    return storable({name: each for name, each in given.items() if each is not None})


def storable(given: dict[str, Any]) -> dict[str, Any]:
    """Return parameters with a map index that a column can hold; no entry has another one."""
    if not UNMAPPED <= given.get("map_index", UNMAPPED) <= MAX_MAP_INDEX:
        given["map_index"] = NO_MAP_INDEX
    return given


def named(fields: Iterable[str]) -> list[ColumnElement[bool]]:
    """Return the conditions that these fields are what the parameters of their names say."""
    return [xcom.c[field] == bindparam(field, None) for field in fields]


@lru_cache(maxsize=256)  # clients ask in few forms, of other names and dates each time
def prepared(dialect: Dialect, form: Form) -> CompiledStatement:
    """Return the statement for lists of a form; it takes `parameters`, `limit` and `offset`.

    Each row is a ListedEntry, and the total after it. Where the page is empty there is no row, or
    for a `later` page one with the total alone.
    """
    return CompiledStatement((_later_page if form.later else _first_page)(form), dialect)


def _first_page(form: Form) -> Select[Any]:
    total = _count(form).correlate(None).scalar_subquery()
    return (select(*_LISTED, total)
            .join_from(xcom, dag_run, parents.OF_ENTRY).where(*_matching(form))
            .order_by(*_sorted(form)).limit(bindparam("limit", None)))


def _later_page(form: Form) -> Select[Any]:
    found = select(*xcom.primary_key).select_from(xcom)
    if _is_of_run(form, form.order):
        found = found.join(dag_run, parents.OF_ENTRY)
    page = (found.where(*_matching(form)).order_by(*_sorted(form))
            .limit(bindparam("limit", None)).offset(bindparam("offset", None)).subquery())
    total = _count(form).subquery()
    on_page = and_(*(column == page.c[column.name] for column in xcom.primary_key))
    return (select(*_LISTED, *total.c)
            .select_from(total.outerjoin(page, true()).outerjoin(xcom, on_page)
                         .outerjoin(dag_run, parents.OF_ENTRY))
            .order_by(*_sorted(form)))


def _count(form: Form) -> Select[Any]:
    query = select(func.count().label("total")).select_from(xcom)
    if _is_of_run(form):
        query = query.join(dag_run, parents.OF_ENTRY)
    matching = _matching(form)
    if matching and not {"dag_id", "key"} & set(form.given):
        # Every name does; but SQLite, which would read the table with its values, reads the index.
        matching.append(xcom.c.dag_id >= "")
    return query.where(*matching)


def _sorted(form: Form) -> list[ColumnElement[Any]]:
    """Return the order of a form, in which no two entries are equal.

    Entries that it leaves equal follow one another in the natural order, turned round where the
    first field is descending.
    """
    turned = bool(form.order) and form.order[0].descending
    ties = [Order(field, turned) for field, _ in _NATURAL]
    return [_column(field).desc() if descending else _column(field)
            for field, descending in (*form.order, *ties)]


def _is_of_run(form: Form, order: Sequence[Order] = ()) -> bool:
    """Say whether it takes the DAG runs to tell which entries match, and which come first."""
    compared = [comparison.field for condition in form.conditions for alternative in condition
                for comparison in alternative]
    return any(field in _OF_RUN for field in (*compared, *(field for field, _ in order)))


def _matching(form: Form) -> list[ColumnElement[bool]]:
    shown = [] if form.dag_ids is None else [xcom.c.dag_id.in_(sorted(form.dag_ids))]
    met = [or_(*(and_(true(), *map(_compared, alternative)) for alternative in condition))
           for condition in form.conditions]
    return [*named(form.given), *shown, *met]


def _compared(comparison: Comparison) -> ColumnElement[bool]:
    field, name, number = comparison
    column = _column(field)
    return _OPERATORS[name](column, bindparam(f"operand_{number}", None, column.type))


def _operand(comparison: Comparison) -> Any:
    """Return an operand, or NULL, which nothing compares with, for what no column can hold."""
    field, _, operand = comparison
    if field == "map_index" and not UNMAPPED <= operand <= MAX_MAP_INDEX:  # type: ignore[operator]
        return None
    return operand


def _column(field: str) -> ColumnElement[Any]:
    return (dag_run if field in _OF_RUN else xcom).c[field]
