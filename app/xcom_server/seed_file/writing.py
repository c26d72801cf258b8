"""Stored rows as rows of seed files."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from xcom_server.storage.dags import SeedDag, split_tags
from xcom_server.storage.models import XComEntry
from xcom_server.storage.runs import SeedRun
from xcom_server.storage.task_instances import SeedTaskInstance

_DAG_NAMES = {"display_name": "dag_display_name", "created_at": "version_created_at"}
_TASK_NAMES = {"display_name": "task_display_name"}


def entry_as_row(entry: XComEntry) -> dict[str, Any]:
    """Return a stored entry as a row of a seed file."""
    return {
        "dag_id": entry.dag_id,
        "run_id": entry.run_id,
        "logical_date": _json(entry.logical_date),
        "task_id": entry.task_id,
        "map_index": entry.map_index,
        "key": entry.key,
        "stored": entry.value,
        "timestamp": _json(entry.timestamp),
    }


def dag_as_row(dag: SeedDag) -> dict[str, Any]:
    """Return a stored DAG as a row of a seed file."""
    fields = dict(dag.fields)
    if "owners" in fields:
        fields["owners"] = fields["owners"].split(", ")
    if "tags" in fields:
        fields["tags"] = split_tags(fields["tags"])
    script = {} if dag.script is None else {"script": json.loads(dag.script)}
    return {"dag_id": dag.dag_id, **_named(fields, _DAG_NAMES), **dag.definition, **script}


def run_as_row(run: SeedRun) -> dict[str, Any]:
    """Return a stored DAG run as a row of a seed file."""
    fields = dict(run.fields)
    if "conf" in fields:
        fields["conf"] = json.loads(fields["conf"])
    return {
        "dag_id": run.dag_id,
        "run_id": run.run_id,
        "logical_date": _json(run.logical_date),
        "run_after": _json(run.run_after),
        **_named(fields, {}),
        "task_instances": [*map(_task_instance, run.task_instances)],
    }


def _task_instance(instance: SeedTaskInstance) -> dict[str, Any]:
    fields = {name: value for name, value in instance.fields.items() if name != "details"}
    row = {
        "task_id": instance.task_id,
        "map_index": instance.map_index,
        **_named(fields, _TASK_NAMES),
        **json.loads(instance.fields.get("details", "{}")),
    }
    if instance.logs:
        row["log"] = {str(number): text for number, text in instance.logs.items()}
    if instance.tries:
        row["tries"] = [
            {"try_number": each.try_number, **_named(json.loads(each.record), _TASK_NAMES)}
            for each in instance.tries
        ]
    return row


def _named(fields: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {names.get(name, name): _json(value) for name, value in fields.items()}


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
