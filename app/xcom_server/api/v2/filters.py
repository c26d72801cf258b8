"""The filters and the sort orders of lists, as in Airflow 3.3.2.

Each list has its ListRules, which name its parameters and the fields that they compare.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server import clock
from xcom_server.api.conditions import one_of
from xcom_server.api.ordering import order_of
from xcom_server.api.v2 import patterns
from xcom_server.storage.queries import Comparison, Condition, Operator, Order

MAX_ORDER = 10  # fields in `order_by`

NOTHING: Condition = ((Comparison("dag_id", "is_null"),),)
"""A condition that no row satisfies."""

NULL_STATES = ("none", "no_status")
"""The values of a parameter that stand for the state null."""

_BOUNDS: tuple[Operator, ...] = ("gte", "gt", "lte", "lt")


@dataclass(frozen=True, kw_only=True)
class ListRules:
    """The parameters of a list.

    `patterns` maps the prefix of a pattern parameter's name to the field that the pattern is
    matched against. `ranges` are the fields with bounds, such as `run_after_gte`. A null in one of
    `now_if_null` compares as the current time. `names` maps the names that `order_by` accepts to
    fields.
    """

    patterns: Mapping[str, str]
    ranges: Sequence[str]
    names: Mapping[str, str]
    now_if_null: Sequence[str] = ()

    def conditions(self, params: Mapping[str, Any]) -> tuple[Condition, ...]:
        """Return the conditions of parameters with patterns and bounds; None values are ignored.

        Raises BadRequestProblem for a pattern with too many alternatives.
        """
        given = {name: each for name, each in params.items() if each is not None}
        return (*self._patterns(given), *self._ranges(given))

    def order(self, names: Sequence[str]) -> list[Order]:
        """Return the sort order for the values of `order_by`, where `-` means descending.

        Raises BadRequestProblem with the text of Airflow for too many or unknown fields.
        """
        if len(names) > MAX_ORDER:
            raise BadRequestProblem(
                detail=f"Ordering with more than {MAX_ORDER} parameters is not"
                f" allowed. Provided: {names}"
            )
        return [order_of(name, self.names) for name in names]

    def _patterns(self, given: Mapping[str, Any]) -> Iterable[Condition]:
        for name, field in self.patterns.items():
            if f"{name}_pattern" in given:
                yield patterns.contains(field, given[f"{name}_pattern"])
            if f"{name}_prefix_pattern" in given:
                yield patterns.starts_with(field, given[f"{name}_prefix_pattern"])

    def _ranges(self, given: Mapping[str, Any]) -> Iterable[Condition]:
        for field in self.ranges:
            for bound in _BOUNDS:
                if f"{field}_{bound}" in given:
                    yield self._bounded(field, bound, given[f"{field}_{bound}"])

    def _bounded(self, field: str, bound: Operator, limit: datetime | float) -> Condition:
        operand = in_utc(limit) if isinstance(limit, datetime) else limit
        compared = (Comparison(field, bound, operand),)
        if field not in self.now_if_null or not isinstance(operand, datetime):
            return (compared,)
        is_past = operand <= clock.now()
        matches_now = is_past if bound in ("gte", "gt") else not is_past
        return (compared, (Comparison(field, "is_null"),)) if matches_now else (compared,)


def in_states(field: str, names: Sequence[str | None] | None) -> tuple[Condition, ...]:
    """Return the condition that a field has one of some states; NULL_STATES and None mean null."""
    return one_of(field, [None if name in NULL_STATES else name for name in names or ()])


def in_utc(date: datetime) -> datetime:
    """Convert a datetime to UTC; a result out of Python's range becomes the nearest one in it."""
    try:
        return date.astimezone(UTC)
    except OverflowError:
        last_year = date.year == datetime.max.year
        return (datetime.max if last_year else datetime.min).replace(tzinfo=UTC)
