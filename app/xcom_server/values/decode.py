"""Decoding of stored values as in Airflow: from JSON text to a Python value.

Airflow's serializer writes a date as `{"__classname__": "datetime.date", "__version__": 2,
"__data__": "2024-02-29"}`, and older releases as `{"__type": …, "__var": …}`.  Such an object is
decoded to the text `datetime.date@version=2(2024-02-29)` or to a date.  The class that a
value names is never imported.
"""

import json
import re
from collections.abc import Callable
from typing import Any

from xcom_server.formats import strict_json
from xcom_server.values import types

MAX_TEXT = 1024 * 1024  # the maximum length of an object's text, in characters

# The prefix of the name of a module that Airflow loads from a DAG file.
_DAG_FILE_PREFIX = re.compile("unusual_prefix_[0-9a-f]{40}_")
_Convert = Callable[[str, int, Any], Any]  # takes class name, version and data of an object


class _AirflowClass(Exception):
    """A value contains an object of one of Airflow's own classes."""


def decode_v1(text: str, *, rebuild: bool = False) -> Any:
    """Decode a JSON text as Airflow 2.10.5 does.

    Serialized objects become text, or with `rebuild` objects of the classes in `types`.
    """
    value = json.loads(text)
    if not _may_have_objects(text):
        return value
    return _convert(value, _rebuild_or_text if rebuild else _v1_text)


def decode_v2(text: str) -> Any:
    """Decode a JSON text as Airflow 3.3.2 does: serialized objects become text.

    A string that contains JSON is decoded too.  A value with an object of one of Airflow's own
    classes, which Airflow would import, is returned unchanged.
    """
    stored = json.loads(text)
    if not _may_have_objects(text) and not isinstance(stored, str):
        return stored
    try:
        value = (
            strict_json.loads(stored, duplicate_keys=True) if isinstance(stored, str) else stored
        )
        return _convert(value, _v2_text)
    except (strict_json.InvalidJson, _AirflowClass):
        return stored


def _may_have_objects(text: str) -> bool:
    """Return whether a JSON text may have keys of serialized objects, even with escapes."""
    return "__" in text or "\\u" in text


def _convert(value: Any, convert: _Convert, *, unwrap: bool = True) -> Any:
    """Return a value with each serialized object replaced by the result of `convert`."""
    if isinstance(value, list):
        return [_convert(each, convert) for each in value]
    if not isinstance(value, dict):
        return value
    if not unwrap or "__type" not in value or "__var" not in value:
        classname, version = value.get("__classname__"), value.get("__version__")
        data = value.get("__data__")
    elif value["__type"] == "dict":  # unwrapped once; a nested wrapper is an ordinary object
        return _convert(value["__var"], convert, unwrap=False)
    else:
        classname, version, data = value["__type"], 0, value["__var"]
    if isinstance(classname, str) and classname and isinstance(version, int):
        return convert(classname, version, data)
    return {key: _convert(each, convert) for key, each in value.items()}


def _rebuild_or_text(classname: str, version: int, data: Any) -> Any:
    try:
        return types.rebuild(classname, version, _convert(data, _rebuild_or_text))
    except types.REBUILD_ERRORS:
        return _v1_text(classname, version, data)


def _v1_text(classname: str, version: int, data: Any) -> str:
    """Return an object's text in Airflow 2.10.5, with commas between the characters of a list."""
    data = _convert(data, _v1_text)
    if classname in types.COLLECTIONS and isinstance(data, list | str | dict):
        return _truncated(f"({','.join(str(each) for each in data)})")
    if isinstance(data, dict):
        inside = ",".join(f"{key}={each}" for key, each in data.items())
    elif isinstance(data, list):
        inside = ",".join(str(data))
    else:
        inside = "" if data is None else str(data)
    return f"{classname}@version={version}({_truncated(inside)})"


def _v2_text(classname: str, version: int, data: Any) -> str:
    """Return an object's text in Airflow 3.3.2, with quotes around the strings in it."""
    if classname.startswith("airflow."):
        raise _AirflowClass
    if isinstance(data, dict):
        inside = ", ".join(
            f"{key}={each!r}" if isinstance(each, str) else f"{key}={_convert(each, _v2_text)}"
            for key, each in data.items()
        )
    elif isinstance(data, list):
        inside = ",".join(str(_convert(each, _v2_text)) for each in data)
        if classname in types.COLLECTIONS:
            return _truncated(f"({inside})")
    else:
        inside = "" if data is None else str(data)
    shown_name = _DAG_FILE_PREFIX.sub("", classname)
    return f"{shown_name}@version={version}({_truncated(inside)})"


def _truncated(text: str) -> str:
    """Return at most MAX_TEXT characters, since the length can double at each level of nesting."""
    return text if len(text) <= MAX_TEXT else text[:MAX_TEXT] + "…"
