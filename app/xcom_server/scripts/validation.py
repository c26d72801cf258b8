"""Validation of the scripts in seed files."""

import math
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from xcom_server.scripts.entries import CONF, DEFAULT
from xcom_server.scripts.plans import DEFAULT_STATES, END_STATES
from xcom_server.states import FINISHED, RUN_STATES
from xcom_server.task_graph import Task

MAX_KEY_LENGTH = 512  # of an entry, in characters
MAX_SECONDS = 365 * 24 * 60 * 60  # of a state

_INSTANCE_FIELDS = ("state", "entries", "log")


class InvalidScript(ValueError):
    """A script is invalid; the message starts with the path of the wrong part."""


def validate(script: Any, tasks: Sequence[Task]) -> None:
    """Check the script of a DAG with these tasks; raise InvalidScript if it is invalid."""
    by_id = {task["task_id"]: task for task in tasks}
    if isinstance(script, list):
        _require(script, "script", "must be an object, or a list of at least one object")
        for number, each in enumerate(script):
            _validate_one(f"script[{number}]", each, by_id)
    else:
        _validate_one("script", script, by_id)


def named_tasks(script: Any) -> list[Task]:
    """Return the tasks that a script names; they are those of a DAG that lists none.

    The script may be invalid.
    """
    found: dict[str, Task] = {}
    for each in script if isinstance(script, list) else [script]:
        scripted = each.get("tasks") if isinstance(each, dict) else None
        for task_id, task in scripted.items() if isinstance(scripted, dict) else ():
            named = found.setdefault(task_id, {"task_id": task_id})
            if isinstance(task, dict) and "mapped" in task:
                named["is_mapped"] = True
    return [*found.values()]


def _validate_one(path: str, script: Any, tasks: Mapping[str, Task]) -> None:
    _require_fields(path, script, ("states", "advance", "tasks"))
    states = script.get("states", DEFAULT_STATES)
    if "states" in script:
        _validate_states(f"{path}.states", states)
    _validate_advance(f"{path}.advance", script.get("advance", "read"), len(states) - 1)
    scripted = script.get("tasks", {})
    _require(isinstance(scripted, dict), f"{path}.tasks", "must be an object")
    for task_id, each in scripted.items():
        _require(task_id in tasks, f"{path}.tasks.{task_id}", "is not a task of the DAG")
        _validate_task(f"{path}.tasks.{task_id}", each, tasks[task_id])


def _validate_states(path: str, states: Any) -> None:
    _require(isinstance(states, list) and states, path, "must be a list of at least one state")
    for number, state in enumerate(states):
        _require_one_of(f"{path}[{number}]", state, RUN_STATES)
    for number, (state, following) in enumerate(pairwise(states)):
        _require(state not in FINISHED, f"{path}[{number}]", f"is {state}, which must be the last")
        is_in_order = RUN_STATES.index(state) <= RUN_STATES.index(following)
        _require(is_in_order, f"{path}[{number + 1}]", f"must not be {following} after {state}")


def _validate_advance(path: str, advance: Any, count: int) -> None:
    if advance == "read":
        return
    is_object = isinstance(advance, dict) and "seconds" in advance
    _require(is_object, path, 'must be "read" or an object with seconds')
    _require_fields(path, advance, ("seconds",))
    seconds = advance["seconds"]
    words = f"must be a number from 0 to {MAX_SECONDS}"
    if not isinstance(seconds, list):
        _require(_is_duration(seconds), f"{path}.seconds", f"{words}, or a list of such numbers")
        return
    _require(
        len(seconds) == count,
        f"{path}.seconds",
        f"must have {count} numbers, one for each state except the last",
    )
    for number, each in enumerate(seconds):
        _require(_is_duration(each), f"{path}.seconds[{number}]", words)


def _is_duration(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value) and 0 <= value <= MAX_SECONDS


def _validate_task(path: str, scripted: Any, task: Task) -> None:
    _require_fields(path, scripted, (*_INSTANCE_FIELDS, "mapped"))
    _validate_instance(path, scripted)
    if "mapped" in scripted:
        _validate_mapped(f"{path}.mapped", scripted["mapped"], task)


def _validate_mapped(path: str, rows: Any, task: Task) -> None:
    count = task.get("mapped")
    is_mapped = bool(count or task.get("is_mapped"))
    _require(is_mapped, path, "is for a mapped task: set is_mapped or mapped in the DAG's tasks")
    _require(isinstance(rows, list) and rows, path, "must be a list of at least one object")
    _require(
        count in (None, len(rows)), path, f"must have {count} objects, as the task has map indexes"
    )
    for map_index, row in enumerate(rows):
        _require_fields(f"{path}[{map_index}]", row, _INSTANCE_FIELDS)
        _validate_instance(f"{path}[{map_index}]", row)


def _validate_instance(path: str, row: Mapping[str, Any]) -> None:
    _require_one_of(f"{path}.state", row.get("state", "success"), END_STATES)
    runs = row.get("state", "success") in FINISHED
    _require(
        runs or not {"entries", "log"} & row.keys(), path, "has entries or a log, but does not run"
    )
    is_text = isinstance(row.get("log", ""), str) and "\0" not in row.get("log", "")
    _require(is_text, f"{path}.log", "must be a string without NUL")
    entries = row.get("entries", {})
    _require(isinstance(entries, dict), f"{path}.entries", "must be an object")
    for key, value in entries.items():
        _require(
            1 <= len(key) <= MAX_KEY_LENGTH and "\0" not in key,
            f"{path}.entries",
            f"has a key that is not 1 to {MAX_KEY_LENGTH} characters without NUL",
        )
        _validate_value(f"{path}.entries.{key}", value)


def _validate_value(path: str, value: Any) -> None:
    """Check the objects in a value that stand for parts of the run's conf."""
    if isinstance(value, dict) and CONF in value:
        _require_fields(path, value, (CONF, DEFAULT))
        name = value[CONF]
        _require(isinstance(name, str) and name, f"{path}.{CONF}", "must be a name or a path")
    elif isinstance(value, dict):
        for name, each in value.items():
            _validate_value(f"{path}.{name}", each)
    elif isinstance(value, list):
        for number, each in enumerate(value):
            _validate_value(f"{path}[{number}]", each)


def _require_fields(path: str, value: Any, known: Collection[str]) -> None:
    _require(isinstance(value, dict), path, "must be an object")
    if unknown := sorted(value.keys() - {*known}):
        raise InvalidScript(
            f"{path} has the unknown field {unknown[0]!r}; allowed: {', '.join(known)}"
        )


def _require_one_of(path: str, value: Any, allowed: Sequence[str]) -> None:
    _require(value in allowed, path, f"must be one of {', '.join(allowed)}")


def _require(is_valid: Any, path: str, words: str) -> None:
    if not is_valid:
        raise InvalidScript(f"{path} {words}")
