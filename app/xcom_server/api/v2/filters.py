"""The filters and the sort order of the list operation, as in Airflow 3.3.2."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server.storage.models import ListedEntry
from xcom_server.storage.queries import Comparison, Condition, Operator, Order

_PATTERN_FIELDS: dict[str, str] = {
    "xcom_key": "key",
    "dag_display_name": "dag_id",
    "run_id": "run_id",
    "task_id": "task_id",
}
"""The prefix of a pattern parameter's name -> the field that the pattern is matched against."""

_DATES: tuple[str, ...] = ("logical_date", "run_after")
_BOUNDS: tuple[Operator, ...] = ("gte", "gt", "lte", "lt")

MAX_ORDER = 10  # fields in `order_by`
MAX_ALTERNATIVES = 100  # in one pattern; SQLite rejects about a thousand


def conditions(params: dict[str, Any]) -> tuple[Condition, ...]:
    """Return the conditions that correspond to query parameters; those that are None are ignored.

    Raises BadRequestProblem for a pattern with too many alternatives.
    """
    return tuple(_conditions({name: each for name, each in params.items() if each is not None}))


def order(names: list[str]) -> list[Order]:
    """Return the sort order for the values of `order_by`, where `-` means descending.

    Raises BadRequestProblem with the text of Airflow for too many or unknown fields.
    """
    if len(names) > MAX_ORDER:
        raise BadRequestProblem(
            detail=f"Ordering with more than {MAX_ORDER} parameters is not"
            f" allowed. Provided: {names}"
        )
    return [Order(_sort_field(name.lstrip("-")), name.startswith("-")) for name in names]


def _conditions(params: dict[str, Any]) -> Iterable[Condition]:
    for name, field in _PATTERN_FIELDS.items():
        if f"{name}_pattern" in params:
            yield tuple(
                (_contains(field, term),) for term in _alternatives(params[f"{name}_pattern"])
            )
        if f"{name}_prefix_pattern" in params:
            yield tuple(
                _starts_with(field, term)
                for term in _alternatives(params[f"{name}_prefix_pattern"])
            )
    if "map_index_filter" in params:
        yield ((Comparison("map_index", "eq", params["map_index_filter"]),),)
    for field in _DATES:
        for bound in _BOUNDS:
            if f"{field}_{bound}" in params:
                yield ((Comparison(field, bound, _in_utc(params[f"{field}_{bound}"])),),)


def _in_utc(date: datetime) -> datetime:
    """Convert a datetime to UTC; a result out of Python's range becomes the nearest one in it."""
    try:
        return date.astimezone(UTC)
    except OverflowError:
        last_year = date.year == datetime.max.year
        return (datetime.max if last_year else datetime.min).replace(tzinfo=UTC)


def _alternatives(pattern: str) -> list[str]:
    """Split a pattern at `|` into alternatives; the pattern `~` matches every name."""
    if pattern == "~":
        return [""]
    terms = [*dict.fromkeys(term.strip() for term in pattern.split("|") if term.strip())]
    if len(terms) > MAX_ALTERNATIVES:
        raise BadRequestProblem(
            detail=f"A pattern of more than {MAX_ALTERNATIVES} alternatives"
            f" is not allowed. Provided: {len(terms)}"
        )
    return terms if "|" in pattern and terms else [pattern]


def _contains(field: str, term: str) -> Comparison:
    return Comparison(field, "like", f"%{term}%")


def _starts_with(field: str, term: str) -> tuple[Comparison, ...]:
    """Return the range of names that start with a term, without the term's trailing punctuation.

    Airflow removes punctuation because collations sort it differently. The upper bound is the
    term with its last character replaced by the next one: `ab` selects names from `ab` to before
    `ac`. If the next one is not a letter or digit, as after `z`, the last character is dropped.
    """
    first = _strip_trailing_punctuation(term)
    if not first:
        return ()
    after = first
    while after and not chr(min(ord(after[-1]) + 1, 0x10FFFF)).isalnum():
        after = _strip_trailing_punctuation(after[:-1])
    lower = Comparison(field, "gte", first)
    if not after:
        return (lower,)
    return lower, Comparison(field, "lt", after[:-1] + chr(ord(after[-1]) + 1))


def _strip_trailing_punctuation(term: str) -> str:
    while term and not term[-1].isalnum():
        term = term[:-1]
    return term


def _sort_field(name: str) -> str:
    if name not in ListedEntry._fields or name == "logical_date":
        raise BadRequestProblem(
            detail=f"Ordering with '{name}' is disallowed or the attribute does"
            " not exist on the model"
        )
    return name
