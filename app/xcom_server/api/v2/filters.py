"""The filters and the order of v2's list, as Airflow 3.3.2 reads them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from connexion.exceptions import BadRequestProblem

from xcom_server.storage.models import Comparison, Condition, Field, Order

_NAMED: dict[str, Field] = {"xcom_key": "key", "dag_display_name": "dag_id", "run_id": "run_id",
                            "task_id": "task_id"}
"""What patterns are called in the document -> the field that they are about."""

_DATES: tuple[Field, ...] = ("logical_date", "run_after")

_BOUNDS: dict[str, Literal["ge", "gt", "le", "lt"]] = {"gte": "ge", "gt": "gt", "lte": "le",
                                                       "lt": "lt"}
"""What bounds are called in the document -> the comparison that they stand for."""

MAX_ORDER = 10
"""How many fields a list can be ordered by."""

MAX_ALTERNATIVES = 100
"""How many alternatives a pattern can have; SQLite takes no thousand of them."""


def conditions(given: dict[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions that query parameters stand for.

    Raises BadRequestProblem for a pattern of too many alternatives.
    """
    return tuple(_conditions({name: each for name, each in given.items() if each is not None}))


def order(names: list[str]) -> list[Order]:
    """Return the order that `order_by` names; raises BadRequestProblem, in Airflow's words."""
    if len(names) > MAX_ORDER:
        raise BadRequestProblem(detail=f"Ordering with more than {MAX_ORDER} parameters is not"
                                       f" allowed. Provided: {names}")
    return [Order(_sortable(name.lstrip("-")), name.startswith("-")) for name in names]


def _conditions(given: dict[str, Any]) -> Iterable[Condition]:
    for name, field in _NAMED.items():
        if f"{name}_pattern" in given:
            yield tuple((_containing(field, term),) for term in _terms(given[f"{name}_pattern"]))
        if f"{name}_prefix_pattern" in given:
            yield tuple(_beginning(field, term)
                        for term in _terms(given[f"{name}_prefix_pattern"]))
    if "map_index_filter" in given:
        yield ((Comparison("map_index", "eq", given["map_index_filter"]),),)
    for field in _DATES:
        for bound, operator in _BOUNDS.items():
            if f"{field}_{bound}" in given:
                yield ((Comparison(field, operator, _in_utc(given[f"{field}_{bound}"])),),)


def _in_utc(moment: datetime) -> datetime:
    """Return the moment in UTC, or the nearest one that its calendar can tell."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        last_year = moment.year == datetime.max.year
        return (datetime.max if last_year else datetime.min).replace(tzinfo=UTC)


def _terms(pattern: str) -> list[str]:
    """Return the alternatives of a pattern; `~` alone is the one that every name meets."""
    if pattern == "~":
        return [""]
    terms = [*dict.fromkeys(term.strip() for term in pattern.split("|") if term.strip())]
    if len(terms) > MAX_ALTERNATIVES:
        raise BadRequestProblem(detail=f"A pattern of more than {MAX_ALTERNATIVES} alternatives"
                                       f" is not allowed. Provided: {len(terms)}")
    return terms if "|" in pattern and terms else [pattern]


def _containing(field: Field, term: str) -> Comparison:
    return Comparison(field, "like", f"%{term}%")


def _beginning(field: Field, term: str) -> tuple[Comparison, ...]:
    """Return the range of names that begin with a term, without the signs at its end.

    Airflow searches an index that may sort signs oddly, so it leaves them out; and where no letter
    comes after the last one (`z`), the range ends where that of the letters before it does.
    """
    first = _without_signs(term)
    if not first:
        return ()
    after = first
    while after and not chr(min(ord(after[-1]) + 1, 0x10FFFF)).isalnum():
        after = _without_signs(after[:-1])
    lower = Comparison(field, "ge", first)
    if not after:
        return (lower,)
    return lower, Comparison(field, "lt", after[:-1] + chr(ord(after[-1]) + 1))


def _without_signs(term: str) -> str:
    while term and not term[-1].isalnum():
        term = term[:-1]
    return term


def _sortable(name: str) -> Field:
    if name not in get_args(Field) or name == "logical_date":
        raise BadRequestProblem(detail=f"Ordering with '{name}' is disallowed or the attribute does"
                                       " not exist on the model")
    return name  # type: ignore[return-value]
