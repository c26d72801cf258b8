"""The values of scripted entries, which can contain parts of the conf of their run."""

import json
from typing import Any

from xcom_server.scripts.plans import InstancePlan

CONF = "$conf"  # the key of an object that stands for a part of the run's conf
DEFAULT = "default"  # the key of what replaces a missing part


def entry_texts(planned: InstancePlan, conf_text: str) -> dict[str, str]:
    """Return the values of a task instance's entries as JSON text, with parts of the run's conf."""
    conf = json.loads(conf_text) if planned.entries else {}
    return {key: json.dumps(substitute(each, conf)) for key, each in planned.entries.items()}


def substitute(value: Any, conf: Any) -> Any:
    """Return a value in which each `{"$conf": name}` is replaced with that part of `conf`.

    A missing one becomes the object's `default`, or None.
    """
    if isinstance(value, dict):
        if CONF in value:
            return _part(conf, value[CONF], value.get(DEFAULT))
        return {name: substitute(each, conf) for name, each in value.items()}
    if isinstance(value, list):
        return [substitute(each, conf) for each in value]
    return value


def _part(conf: Any, path: str, default: Any) -> Any:
    """Return the part with a name or, if the name contains dots, a path; the default if missing."""
    if isinstance(conf, dict) and path in conf:
        return conf[path]
    for name in path.split("."):
        if not isinstance(conf, dict) or name not in conf:
            return default
        conf = conf[name]
    return conf
