"""Keys that Airflow's serializer writes into values: tasks may store them, requests may not.

A reader could take a value with such keys for a serialized object. CVE-2026-42359 was one way of
writing in Airflow that lacked the check. Here the store checks every write.
"""

import json
from collections.abc import Iterator
from typing import Any

from xcom_server.errors import ReservedKeys

RESERVED = frozenset(
    {
        "__classname__",
        "__version__",
        "__data__",
        "__id__",
        "__cache__",
        "__type",
        "__source",
        "__var",
    }
)

# The path to a value: the path to its parent, and its key or index there.  Only an error formats
# it: as text for each value, long keys above a long list would take too much memory.
Path = tuple["Path", str | int] | None


def refuse_reserved(text: str) -> None:
    """Raise ReservedKeys if a value, given as JSON text, has a reserved key at any depth.

    A string that holds an object or a list as JSON is searched too, as in Airflow 3.3.1 and later.
    """
    if "__" not in text and "\\u" not in text:  # most values have no such key, nor an escaped one
        return
    for path, members in _objects(json.loads(text)):
        if keys := sorted(RESERVED & members.keys()):
            raise ReservedKeys(_format(path), keys)


def _objects(value: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every object within a value with its path, parents first."""
    stack: list[tuple[Path, Any]] = [(None, value)]
    while stack:
        path, value = stack.pop()
        value = _parse_if_json(value)
        children: list[tuple[str | int, Any]] = []
        if isinstance(value, dict):
            yield path, value
            children = [(f".{key}", each) for key, each in value.items()]
        elif isinstance(value, list):
            children = [*enumerate(value)]
        stack += [
            ((path, step), each)
            for step, each in reversed(children)
            if isinstance(each, dict | list | str)
        ]


def _format(path: Path) -> str:
    steps = []
    while path is not None:
        path, step = path
        steps.append(step if isinstance(step, str) else f"[{step}]")
    return "value" + "".join(reversed(steps))


def _parse_if_json(value: Any) -> Any:
    """Return the object or list that a string holds as JSON, and any other value as it is."""
    if not isinstance(value, str) or value.lstrip(" \t\n\r")[:1] not in ("{", "["):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, dict | list) else value
