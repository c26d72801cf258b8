"""The format of seed files; docs/seeding.md describes it.

A file is a JSON list of entries, or an object whose `dag_runs` is a list of DAG runs with their
`task_instances`.  Every row is validated before any is stored.  Unlike in a request, a value may
contain objects of Airflow's serializer, since a task can store them.
"""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from xcom_server.errors import OperatorError
from xcom_server.formats import strict_json
from xcom_server.formats.rfc3339 import parse_rfc3339
from xcom_server.storage import models
from xcom_server.storage.queries import WILDCARD
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.store import SeedRow
from xcom_server.storage.task_instances import SeedTaskInstance

_NAMES = {
    "dag_id": models.MAX_ID_LENGTH,
    "run_id": models.MAX_ID_LENGTH,
    "task_id": models.MAX_ID_LENGTH,
    "key": models.MAX_KEY_LENGTH,
}
ENTRY_FIELDS = {*_NAMES, "map_index", "logical_date", "timestamp", "value", "stored", "python_repr"}
_RUN_FIELDS = {"dag_id", "run_id", "logical_date", "run_after", "task_instances"}


class InvalidSeedFile(OperatorError):
    """A seed file is invalid; the message names the file and the number of the row, from 1."""


def read(text: str, file: str = "") -> list[SeedRow]:
    """Return the rows in the text of a seed file; `file` is its name in error messages.

    Raises InvalidSeedFile for the first invalid row.
    """
    place = f"{file}: " if file else ""
    try:
        if text.lstrip().startswith("["):
            return [
                _row(f"{place}entry {number}", _entry, element)
                for number, element in enumerate(strict_json.split_array(text), 1)
            ]
        document = strict_json.loads(text)
    except strict_json.InvalidJson as error:
        raise InvalidSeedFile(f"{place}not JSON: {error}") from None
    if not isinstance(document, dict) or not isinstance(document.get("dag_runs"), list):
        raise InvalidSeedFile(f"{place}neither a list of entries nor an object with dag_runs")
    return [
        _row(f"{place}DAG run {number}", _run, json.dumps(run))
        for number, run in enumerate(document["dag_runs"], 1)
    ]


def _row(place: str, build: Callable[[str, strict_json.JsonObject], SeedRow], text: str) -> SeedRow:
    try:
        row = strict_json.loads(text)
        if not isinstance(row, strict_json.JsonObject):
            raise InvalidSeedFile("not an object")
        return build(place, row)
    except strict_json.AmbiguousJson as error:
        raise InvalidSeedFile(f"{place}: it contains {error}") from None
    except (ValueError, InvalidSeedFile) as error:
        raise InvalidSeedFile(f"{place}: {error}") from None


def _entry(place: str, row: strict_json.JsonObject) -> models.SeedEntry:
    _refuse_unknown(row, ENTRY_FIELDS)
    names = {field: _name(row, field) for field in _NAMES}
    return models.SeedEntry(
        place,
        models.XComKey(**names, map_index=_map_index(row)),
        _value(row),
        _date(row, "logical_date"),
        _date(row, "timestamp"),
    )


def _run(place: str, row: strict_json.JsonObject) -> SeedRun:
    _refuse_unknown(row, _RUN_FIELDS)
    date = _date(row, "logical_date")
    instances = row.get("task_instances", [])
    if not isinstance(instances, list) or not all(isinstance(each, dict) for each in instances):
        raise InvalidSeedFile("task_instances is not a list of objects")
    return SeedRun(
        place,
        _name(row, "dag_id"),
        _name(row, "run_id"),
        date,
        _date(row, "run_after") or date or datetime.now(UTC),
        [SeedTaskInstance(_name(each, "task_id"), _map_index(each)) for each in instances],
        {},
    )


def _refuse_unknown(row: dict[str, Any], known: set[str]) -> None:
    if unknown := sorted(row.keys() - known):
        raise InvalidSeedFile(f"unknown field {unknown[0]!r}; allowed: {', '.join(sorted(known))}")


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
    index = row.get("map_index", models.UNMAPPED)
    if type(index) is not int or not models.UNMAPPED <= index <= models.MAX_MAP_INDEX:
        raise InvalidSeedFile(
            f"map_index must be a whole number from {models.UNMAPPED} to {models.MAX_MAP_INDEX}"
        )
    return index


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


def _date(row: dict[str, Any], field: str) -> datetime | None:
    text = row.get(field)
    if text is None:
        return None
    try:
        return parse_rfc3339(text)
    except (TypeError, ValueError):
        raise InvalidSeedFile(f"{field} must be an RFC 3339 date with a time zone") from None


def entry_as_row(entry: models.XComEntry) -> dict[str, Any]:
    """Return a stored entry as a row of a seed file."""
    return {
        "dag_id": entry.dag_id,
        "run_id": entry.run_id,
        "logical_date": _iso(entry.logical_date),
        "task_id": entry.task_id,
        "map_index": entry.map_index,
        "key": entry.key,
        "stored": entry.value,
        "timestamp": _iso(entry.timestamp),
    }


def run_as_row(run: SeedRun) -> dict[str, Any]:
    """Return a stored DAG run as a row of a seed file."""
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "logical_date": _iso(run.logical_date),
        "run_after": _iso(run.run_after),
        "task_instances": [
            {"task_id": each.task_id, "map_index": each.map_index} for each in run.task_instances
        ],
    }


def _iso(date: datetime | None) -> str | None:
    return date.isoformat() if date else None
