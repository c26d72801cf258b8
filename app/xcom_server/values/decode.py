"""A stored value as Airflow shows it: JSON text in, a Python value out; nothing ever runs.

Tasks leave more than JSON: Airflow's serializer writes a date as `{"__classname__":
"datetime.date", "__version__": 2, "__data__": "2024-02-29"}`, and older releases as `{"__type": …,
"__var": …}`.  Airflow 2.10.5 shows such a value as text, `datetime.date@version=2(2024-02-29)`;
where deserialization is allowed and asked for, the fixed table in xcom_server.values.types rebuilds it,
and a class that is not in the table stays text.  Airflow 3.3.2 shows it as it is stored, and as
text of much the same form when it is asked to deserialize.  No name in a value is ever imported.
"""

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from xcom_server.formats import strict_json
from xcom_server.values import types

MAX_TEXT = 1024 * 1024
"""The longest text that an object is shown by, in characters."""


_DAG_FILE_PREFIX = re.compile("unusual_prefix_[0-9a-f]{40}_")
"""What Airflow puts before the name of the module that a DAG file becomes."""


class _OfAirflow(Exception):
    """A value holds an object of one of Airflow's own classes."""


class Serialized(NamedTuple):
    """What Airflow's serializer wrote in place of an object."""

    classname: str
    version: int
    data: Any


def decode(text: str, *, as_objects: bool = False) -> Any:
    """Return the value that JSON text stands for, serialized objects as text or rebuilt."""
    return _shown(json.loads(text), _rebuilt if as_objects else _as_text)


def readable(text: str) -> Any:
    """Return the value as Airflow 3.3.2 deserializes it: serialized objects become text.

    A string that holds JSON counts as what it stands for. A value that holds an object of
    Airflow's own classes, which Airflow would import, stays as it is.
    """
    stored = json.loads(text)
    try:
        value = (strict_json.loads(stored, duplicate_keys=True) if isinstance(stored, str)
                 else stored)
        return _shown(value, _as_newer_text)
    except (strict_json.InvalidJson, _OfAirflow):
        return stored


def _shown(value: Any, show: Callable[[Serialized], Any]) -> Any:
    if isinstance(value, list):
        return [_shown(each, show) for each in value]
    if not isinstance(value, dict):
        return value
    if "__type" in value and "__var" in value:
        if value["__type"] != "dict":
            return _unless_malformed(value, value["__type"], 0, value["__var"], show)
        value = value["__var"]  # once: what is wrapped in it again is an object like any other
        if not isinstance(value, dict):
            return _shown(value, show)
    return _unless_malformed(value, value.get("__classname__", ""), value.get("__version__", ""),
                             value.get("__data__"), show)


def _unless_malformed(members: dict[str, Any], classname: Any, version: Any, data: Any,
                      show: Callable[[Serialized], Any]) -> Any:
    if isinstance(classname, str) and classname and isinstance(version, int):
        return show(Serialized(classname, version, data))
    return {name: _shown(each, show) for name, each in members.items()}


def _rebuilt(found: Serialized) -> Any:
    try:
        return types.rebuild(found.classname, found.version, _shown(found.data, _rebuilt))
    except types.REBUILD_ERRORS:
        return _as_text(found)


def _as_text(found: Serialized) -> str:
    """Return Airflow's words for an object; the letters of a list are comma-separated there too."""
    data = _shown(found.data, _as_text)
    if found.classname in types.COLLECTIONS and isinstance(data, list | str | dict):
        return _capped(f"({','.join(str(each) for each in data)})")
    if isinstance(data, dict):
        inside = ",".join(f"{name}={each}" for name, each in data.items())
    elif isinstance(data, list):
        inside = ",".join(str(data))
    else:
        inside = "" if data is None else str(data)
    return f"{found.classname}@version={found.version}({_capped(inside)})"


def _as_newer_text(found: Serialized) -> str:
    """Return the words of Airflow 3.3.2 for an object: texts within an object are quoted."""
    if found.classname.startswith("airflow."):
        raise _OfAirflow
    data = found.data
    if isinstance(data, dict):
        inside = ", ".join(f"{name}={each!r}" if isinstance(each, str)
                           else f"{name}={_shown(each, _as_newer_text)}"
                           for name, each in data.items())
    elif isinstance(data, list):
        inside = ",".join(str(_shown(each, _as_newer_text)) for each in data)
        if found.classname in types.COLLECTIONS:
            return _capped(f"({inside})")
    else:
        inside = "" if data is None else str(data)
    shown = _DAG_FILE_PREFIX.sub("", found.classname)
    return f"{shown}@version={found.version}({_capped(inside)})"


def _capped(text: str) -> str:
    """Return a text, or its beginning: the quotes of lists within lists double at every level."""
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
