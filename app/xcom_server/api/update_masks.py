"""The parameter `update_mask`, by which a request changes only some fields of its body."""

from collections.abc import Mapping, Sequence
from typing import Any

from connexion.exceptions import BadRequestProblem


def masked(body: Mapping[str, Any], update_mask: Sequence[str] | None) -> dict[str, Any]:
    """Return the fields of a body that are in the mask, or all without a mask.

    Unknown fields in the mask have no effect.
    """
    return {name: body[name] for name in body if not update_mask or name in update_mask}


def require_only_paused(update_mask: Sequence[str] | None) -> None:
    """Raise BadRequestProblem for a mask of a DAG with another field than `is_paused`."""
    if update_mask and [*update_mask] != ["is_paused"]:
        raise BadRequestProblem(detail="Only `is_paused` field can be updated through the REST API")
