"""The parameter `order_by` of lists."""

from collections.abc import Mapping

from connexion.exceptions import BadRequestProblem

from xcom_server.storage.queries import Order


def order_of(name: str, fields: Mapping[str, str]) -> Order:
    """Return the sort order for a value of `order_by`, where `-` at the start means descending.

    `fields` maps the names that it may have to fields of the store. Raises BadRequestProblem with
    Airflow's text for another name.
    """
    plain = name.lstrip("-")
    if plain not in fields:
        raise BadRequestProblem(
            detail=f"Ordering with '{plain}' is disallowed or the attribute does"
            " not exist on the model"
        )
    return Order(fields[plain], descending=name.startswith("-"))
