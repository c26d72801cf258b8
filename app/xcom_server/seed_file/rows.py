"""The rows of seed files as the rows of a store."""

import json
from datetime import datetime
from graphlib import CycleError
from typing import Any

from xcom_server import clock, task_graph
from xcom_server.formats import strict_json
from xcom_server.scripts.validation import named_tasks, validate
from xcom_server.seed_file import kinds
from xcom_server.seed_file.fields import (
    DATE,
    InvalidSeedFile,
    given,
    objects,
    or_null,
    refuse_unknown,
    value_of,
    whole,
)
from xcom_server.storage import models
from xcom_server.storage.dags import SeedDag
from xcom_server.storage.queries import WILDCARD
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.task_instances import SeedTaskInstance, Try

_NAMES = {
    "dag_id": models.MAX_ID_LENGTH,
    "run_id": models.MAX_ID_LENGTH,
    "task_id": models.MAX_ID_LENGTH,
    "key": models.MAX_KEY_LENGTH,
}
_DATE = or_null(DATE)
_MAP_INDEX = whole(models.UNMAPPED)
_TRY_NUMBER = whole(0)

ENTRY_FIELDS = {*_NAMES, "map_index", "logical_date", "timestamp", "value", "stored", "python_repr"}
DAG_FIELDS = {"dag_id", *kinds.DAG_COLUMNS, *kinds.DAG_DEFINITION, "tasks", "script"}
TASK_FIELDS = {"task_id", *kinds.TASK}
RUN_FIELDS = {"dag_id", "run_id", "logical_date", "run_after", *kinds.RUN, "task_instances"}
TRY_FIELDS = {"try_number", *kinds.TRY}
TASK_INSTANCE_FIELDS = {
    "task_id",
    "map_index",
    *kinds.TASK_INSTANCE,
    *kinds.DETAILS,
    "log",
    "tries",
}


def entry(place: str, row: strict_json.JsonObject) -> models.SeedEntry:
    """Return an entry; raise InvalidSeedFile if the row is invalid."""
    refuse_unknown(row, ENTRY_FIELDS)
    names = {field: _name(row, field) for field in _NAMES}
    return models.SeedEntry(
        place,
        models.XComKey(**names, map_index=_map_index(row)),
        _value(row),
        _date(row, "logical_date"),
        _date(row, "timestamp"),
    )


def dag(place: str, row: strict_json.JsonObject) -> SeedDag:
    """Return a DAG; raise InvalidSeedFile if the row is invalid."""
    refuse_unknown(row, DAG_FIELDS)
    definition = given(row, kinds.DAG_DEFINITION)
    if "tasks" in row:
        definition["tasks"] = _tasks(objects(row, "tasks"))
    return SeedDag(
        place,
        _name(row, "dag_id"),
        given(row, kinds.DAG_COLUMNS, kinds.STORED_NAMES),
        definition,
        _script(row, definition),
    )


def run(place: str, row: strict_json.JsonObject) -> SeedRun:
    """Return a DAG run; raise InvalidSeedFile if the row is invalid."""
    refuse_unknown(row, RUN_FIELDS)
    date = _date(row, "logical_date")
    return SeedRun(
        place,
        _name(row, "dag_id"),
        _name(row, "run_id"),
        date,
        _date(row, "run_after") or date or clock.now(),
        [
            _numbered("task instance", number, each, _task_instance)
            for number, each in enumerate(objects(row, "task_instances"), 1)
        ],
        _with_duration(given(row, kinds.RUN)),
    )


def _numbered(kind: str, number: int, row: dict[str, Any], build: Any) -> Any:
    try:
        return build(row)
    except InvalidSeedFile as error:
        raise InvalidSeedFile(f"{kind} {number}: {error}") from None


def _tasks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    tasks = [_numbered("task", number, row, _task) for number, row in enumerate(rows, 1)]
    known = [task["task_id"] for task in tasks]
    for number, task in enumerate(tasks):
        if task["task_id"] in known[:number]:
            raise InvalidSeedFile(f"task {number + 1}: duplicate of another task")
        for field in ("upstream", "downstream_task_ids"):
            if unknown := [each for each in task.get(field, []) if each not in known]:
                raise InvalidSeedFile(f"task {number + 1}: {field} has {unknown[0]!r}, not a task")
    try:
        task_graph.upstream(tasks)
    except CycleError:
        raise InvalidSeedFile("tasks depend on each other in a circle") from None
    return tasks


def _task(row: dict[str, Any]) -> dict[str, Any]:
    refuse_unknown(row, TASK_FIELDS)
    return {"task_id": _name(row, "task_id"), **given(row, kinds.TASK)}


def _script(row: dict[str, Any], definition: dict[str, Any]) -> str | None:
    """Return the JSON text of a DAG's script, None if the row has none."""
    script = row.get("script")
    if script is None:
        return None
    tasks = definition["tasks"] if "tasks" in definition else _tasks(named_tasks(script))
    validate(script, tasks)
    return json.dumps(script, ensure_ascii=False)


def _task_instance(row: dict[str, Any]) -> SeedTaskInstance:
    refuse_unknown(row, TASK_INSTANCE_FIELDS)
    fields = _with_duration(given(row, kinds.TASK_INSTANCE, kinds.STORED_NAMES))
    if details := given(row, kinds.DETAILS):
        fields["details"] = json.dumps(details, ensure_ascii=False)
    return SeedTaskInstance(
        _name(row, "task_id"),
        _map_index(row),
        fields,
        _logs(row, fields.get("try_number", 1)),
        [
            _numbered("try", number, each, _try)
            for number, each in enumerate(objects(row, "tries"), 1)
        ],
    )


def _logs(row: dict[str, Any], try_number: int) -> dict[int, str]:
    """Return the texts in `log` by try; a single text is that of the current try."""
    log = row.get("log", {})
    texts = {str(try_number): log} if isinstance(log, str) else log
    if not isinstance(texts, dict) or not all(
        number.isdecimal() and isinstance(text, str) for number, text in texts.items()
    ):
        raise InvalidSeedFile("log must be a string, or an object of strings by try number")
    return {int(number): text for number, text in texts.items()}


def _try(row: dict[str, Any]) -> Try:
    refuse_unknown(row, TRY_FIELDS)
    if "try_number" not in row:
        raise InvalidSeedFile("try_number is missing")
    fields = _with_duration(given(row, kinds.TRY, kinds.STORED_NAMES))
    texts = {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in fields.items()
    }
    number = value_of("try_number", row["try_number"], _TRY_NUMBER)
    return Try(number, json.dumps(texts, ensure_ascii=False))


def _with_duration(fields: dict[str, Any]) -> dict[str, Any]:
    """Add the duration to fields that have a start and an end."""
    start, end = fields.get("start_date"), fields.get("end_date")
    return {"duration": (end - start).total_seconds(), **fields} if start and end else fields


def _name(row: dict[str, Any], field: str) -> str:
    if field not in row:
        raise InvalidSeedFile(f"{field} is missing")
    name, longest = row[field], _NAMES[field]
    if not isinstance(name, str) or not 1 <= len(name) <= longest or "\0" in name:
        raise InvalidSeedFile(f"{field} must be a string of 1 to {longest} characters without NUL")
    if name == WILDCARD and field != "key":
        raise InvalidSeedFile(f"{field} must not be {WILDCARD!r}, which is a wildcard")
    return name


def _map_index(row: dict[str, Any]) -> int:
    return int(value_of("map_index", row.get("map_index", models.UNMAPPED), _MAP_INDEX))


def _date(row: dict[str, Any], field: str) -> datetime | None:
    date: datetime | None = value_of(field, row.get(field), _DATE)
    return date


def _value(row: strict_json.JsonObject) -> str:
    """Return the JSON text of the value, which is a string in `stored` or JSON in `value`."""
    stored = row.get("stored")
    if stored is None:
        if "value" not in row:
            raise InvalidSeedFile("value or stored is missing")
        return row.raw("value")
    if not isinstance(stored, str):
        raise InvalidSeedFile("stored must be a string that contains JSON")
    try:
        strict_json.loads(stored)
    except strict_json.AmbiguousJson:
        raise
    except strict_json.InvalidJson as error:
        raise InvalidSeedFile(f"stored is not JSON: {error}") from None
    return stored
