"""The conditions of lists that both versions of the API have."""

from collections.abc import Iterable, Sequence, Sized

from connexion.exceptions import BadRequestProblem

from xcom_server.storage.dags import joined_tags
from xcom_server.storage.queries import Comparison, Condition

MAX_VALUES = 1000  # of a field; databases limit the parameters of a statement
MAX_ALTERNATIVES = 100  # joined with AND or OR; SQLite rejects about a thousand


def one_of(field: str, values: Iterable[str | int | None] | None) -> tuple[Condition, ...]:
    """Return the condition that a field has one of some values; without values any matches.

    None stands for null. Raises BadRequestProblem for more than MAX_VALUES values.
    """
    given = [*dict.fromkeys(values or ())]
    refuse_many(field, given, MAX_VALUES)
    operand = tuple(value for value in given if value is not None)
    alternatives = [(Comparison(field, "in", operand),)] if operand else []
    if None in given:
        alternatives.append((Comparison(field, "is_null"),))
    return (tuple(alternatives),) if alternatives else ()


def with_tags(tags: Sequence[str], *, all_of_them: bool = False) -> tuple[Condition, ...]:
    """Return the conditions that a DAG has one of some tags, or all of them; [] matches any DAG.

    Raises BadRequestProblem for more than MAX_ALTERNATIVES tags.
    """
    refuse_many("tags", tags)
    having = tuple((Comparison("tags", "contains", joined_tags([tag])),) for tag in tags)
    if all_of_them:
        return tuple((alternative,) for alternative in having)
    return (having,) if having else ()


def refuse_many(field: str, values: Sized, most: int = MAX_ALTERNATIVES) -> None:
    """Raise BadRequestProblem if a field has too many values."""
    if len(values) > most:
        raise BadRequestProblem(detail=f"{field} has more than {most} values")
