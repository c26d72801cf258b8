"""`update_mask`: which fields of a body an update changes."""

from collections.abc import Mapping, Sequence
from typing import Any

from connexion.exceptions import BadRequestProblem

UPDATABLE = {"value"}


def apply_mask(body: Mapping[str, Any], update_mask: Sequence[str]) -> dict[str, Any]:
    """Return the members of the body that the mask names; an empty mask names all of them.

    Raises BadRequestProblem, in Airflow's words, for a name that is unknown, cannot be changed or
    is missing from the body.
    """
    names = [name.strip() for name in update_mask]
    if names in ([], [""]):
        return dict(body)
    for name in names:
        if name not in UPDATABLE or name not in body:
            raise cannot_be_updated(name)
    return {name: body[name] for name in names}


def cannot_be_updated(field: str) -> BadRequestProblem:
    """Return Airflow's error for a field that cannot be changed."""
    return BadRequestProblem(detail=f"'{field}' is unknown or cannot be updated.")
