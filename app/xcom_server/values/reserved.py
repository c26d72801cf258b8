"""Names that Airflow's serializer writes into values: only tasks may, never a request.

A value that holds them could be taken for a serialized object by whoever reads it (CVE-2026-42359
was one write path of Airflow that forgot to look). Every write of the store looks.
"""

import json
from collections.abc import Iterator
from typing import Any

from xcom_server.errors import ReservedKeys

RESERVED = frozenset({"__classname__", "__version__", "__data__", "__id__", "__cache__",
                      "__type", "__source", "__var"})

Place = tuple["Place", str | int] | None
"""How a value is reached: the place of what holds it, and the step from there.

Linked, and written out for an error alone: written out for each value, long names above a long list
would take as much memory as their product.
"""


def refuse_reserved(text: str) -> None:
    """Raise ReservedKeys for a value, given as JSON text, that holds a reserved name at any depth.

    A string that holds an object or a list as JSON counts as that, as in Airflow 3.3.1 and later.
    """
    if "__" not in text and "\\u" not in text:  # no such name, spelt out or escaped: most values
        return
    for place, found in _objects(json.loads(text)):
        if names := sorted(RESERVED & found.keys()):
            raise ReservedKeys(_written(place), names)


def _objects(value: Any) -> Iterator[tuple[Place, dict[str, Any]]]:
    """Yield every object within a value with its place, each before those inside it."""
    waiting: list[tuple[Place, Any]] = [(None, value)]
    while waiting:
        place, value = waiting.pop()
        value = _unwrapped(value)
        steps: list[tuple[str | int, Any]] = []
        if isinstance(value, dict):
            yield place, value
            steps = [(f".{name}", each) for name, each in value.items()]
        elif isinstance(value, list):
            steps = [*enumerate(value)]
        waiting += [((place, step), each) for step, each in reversed(steps)
                    if isinstance(each, dict | list | str)]


def _written(place: Place) -> str:
    steps = []
    while place is not None:
        place, step = place
        steps.append(step if isinstance(step, str) else f"[{step}]")
    return "value" + "".join(reversed(steps))


def _unwrapped(value: Any) -> Any:
    """Return the object or list that a string holds as JSON, any other value as it is."""
    if not isinstance(value, str) or value.lstrip(" \t\n\r")[:1] not in ("{", "["):
        return value
    try:
        held = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return held if isinstance(held, dict | list) else value
