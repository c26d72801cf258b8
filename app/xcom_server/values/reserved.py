"""Keys that are reserved for Airflow's serializer: tasks may store them, requests may not.

A value with such keys could be deserialized as an object.  In Airflow one endpoint lacked this
check (CVE-2026-42359); here the store checks every write.
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
    """Return the JSON object or list that a string contains, or the value itself."""
    if not isinstance(value, str) or value.lstrip(" \t\n\r")[:1] not in ("{", "["):
        return value
    try:
        parsed = json.loads(value)
    except (ValueError, RecursionError):
        return value
    return parsed if isinstance(parsed, dict | list) else value
