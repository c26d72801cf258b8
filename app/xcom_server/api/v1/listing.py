"""The parameters that the lists of v1 share: page size, date ranges and `fields`."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from connexion.exceptions import BadRequestProblem

from xcom_server.settings import Settings
from xcom_server.storage.queries import Comparison, Condition, Operator

_BOUNDS: tuple[Operator, ...] = ("gte", "lte")


def page_size(limit: int, settings: Settings) -> int:
    """Return the number of items on a page.

    As in Airflow 2, a `limit` of 0 selects the default, and a limit above the maximum is lowered
    to it. Raises BadRequestProblem for a negative one.
    """
    if limit < 0:
        raise BadRequestProblem("Page limit must be a positive integer")
    return min(limit or settings.fallback_page_limit, settings.maximum_page_limit)


def ranges(parameters: Mapping[str, datetime | float]) -> tuple[Condition, ...]:
    """Return the conditions of parameters such as `start_date_gte`."""
    return tuple(
        _range(name.removesuffix(f"_{bound}"), bound, value)
        for name, value in parameters.items()
        for bound in _BOUNDS
        if name.endswith(f"_{bound}")
    )


def _range(field: str, bound: Operator, value: datetime | float) -> Condition:
    """In v1 a run without a logical date has the date after which it runs."""
    if field != "execution_date":
        return ((Comparison(field, bound, value),),)
    return (
        (Comparison("logical_date", bound, value),),
        (Comparison("logical_date", "is_null"), Comparison("run_after", bound, value)),
    )


def selected(
    rows: list[dict[str, Any]], fields: list[str] | None, schema: str, collection: bool = False
) -> list[dict[str, Any]]:
    """Return rows with only these fields, or whole ones if `fields` is None.

    Raises BadRequestProblem with the name of Airflow's schema for a field that rows do not have.
    """
    if fields is None:
        return rows
    for name in fields if rows else ():
        if name not in rows[0]:
            title = schema.replace("Schema", "CollectionSchema") if collection else schema
            raise BadRequestProblem(f"{title} error", detail=f"{name} not in {schema}")
    return [{name: row[name] for name in sorted(set(fields))} for row in rows]
