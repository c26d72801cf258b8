"""Keys that are reserved for Airflow's serializer: tasks may store them, requests may not.

A value with such keys could be deserialized as an object.  In Airflow one endpoint lacked this
check (CVE-2026-42359); here the store checks every write.
"""

import json
from collections.abc import Iterable, Iterator
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

# The path of a value: the path of its parent, and its key or index there.  It is formatted only
# for an error, because the texts for all elements of a list below long keys take too much memory.
Path = tuple["Path", str | int] | None


def refuse_reserved(text: str) -> None:
    """Raise ReservedKeys if a value, given as JSON text, has a reserved key at any depth.

    A string that contains a JSON object or list is searched too, as in Airflow 3.3.1 and later.
    """
    if "__" not in text and "\\u" not in text:  # quick: no such key, even with escaped characters
        return
    for path, members in _objects(json.loads(text)):
        if keys := sorted(RESERVED & members.keys()):
            raise ReservedKeys(_format(path), keys)


def _objects(value: Any) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Yield every object within a value with its path, parents first."""
    parents: list[Iterator[tuple[Path, Any]]] = [iter([(None, value)])]
    while parents:
        path, value = next(parents[-1], (None, None))
        value = _parse_if_json(value)
        if isinstance(value, dict):
            yield path, value
            parents.append(_children(path, ((f".{key}", each) for key, each in value.items())))
        elif isinstance(value, list):
            parents.append(_children(path, enumerate(value)))
        elif value is None:
            parents.pop()


def _children(path: Path, steps: Iterable[tuple[str | int, Any]]) -> Iterator[tuple[Path, Any]]:
    """Yield the children of a value that may contain objects, one after the other."""
    for step, each in steps:
        if isinstance(each, dict | list | str):
            yield (path, step), each


def _format(path: Path) -> str:
    steps = []
    while path is not None:
        path, step = path
        steps.append(step if isinstance(step, str) else f"[{step}]")
    return "value" + "".join(reversed(steps))


def _parse_if_json(value: Any) -> Any:
    """Return the JSON object or list that a string contains, or the value itself."""
    if not isinstance(value, str) or value.lstrip(" \t\n\r")[:1] not in ("{", "["):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, dict | list) else value
