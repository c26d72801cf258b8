"""The conditions of `…_pattern` and `…_prefix_pattern`, as in Airflow 3.3.2."""

from connexion.exceptions import BadRequestProblem

from xcom_server.api.conditions import MAX_ALTERNATIVES
from xcom_server.storage.queries import Comparison, Condition


def contains(field: str, pattern: str) -> Condition:
    """Return the condition that a field contains one of the alternatives of a pattern.

    Raises BadRequestProblem for more than MAX_ALTERNATIVES.
    """
    return tuple(containing(field, term)[0] for term in _alternatives(pattern))


def containing(field: str, term: str) -> Condition:
    """Return the condition that a field contains a term, in which `%` and `_` are wildcards."""
    return ((Comparison(field, "like", f"%{term}%"),),)


def starts_with(field: str, pattern: str) -> Condition:
    """Return the condition that a field starts with one of the alternatives of a pattern.

    Raises BadRequestProblem for more than MAX_ALTERNATIVES.
    """
    return tuple(_range(field, term) for term in _alternatives(pattern))


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


def _range(field: str, term: str) -> tuple[Comparison, ...]:
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
