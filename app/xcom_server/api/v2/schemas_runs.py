"""DAG runs in responses of v2, with the fields in the order of Airflow 3.3.2."""

import json
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json, to_json

from xcom_server.api import json_io, work_memory
from xcom_server.api.json_rows import RowWriter, Value, cached_for_short_texts
from xcom_server.api.v2.schemas_dags import dump_version
from xcom_server.storage.runs import DagRun


def dump_run(run: DagRun) -> dict[str, Any]:
    """Return the fields of a run."""
    work_memory.reserve([run.conf])
    versions = [dump_version(run)] if run.has_task_instances else []
    return _fields(run, _parse(run.conf), versions, run.dag_display_name)


def runs_as_json(runs: Sequence[DagRun]) -> bytes:
    """Return a JSON list of the fields of runs, as `dump_run` returns them.

    The runs of a DAG share the text of their version.
    """
    if not runs:
        return b"[]"
    columns: dict[str, Any] = dict(zip(DagRun._fields, zip(*runs, strict=True), strict=True))
    of_dag = [*zip(columns["dag_id"], columns["has_task_instances"], strict=True)]
    one_each = {each: dump_run(run) for each, run in dict(zip(of_dag, runs, strict=True)).items()}
    for name in ("dag_versions", "dag_display_name"):
        written = {each: to_json(run[name]).decode() for each, run in one_each.items()}
        columns[name] = [written[each] for each in of_dag]
    work_memory.reserve(columns["conf"])
    columns["conf"] = [*json_io.bounded(map(_compact, columns["conf"]))]
    return f"[{_WRITER.write(columns)}]".encode()


def _fields(run: DagRun, conf: Any, dag_versions: Any, dag_display_name: Any) -> dict[str, Any]:
    return {
        "dag_run_id": run.run_id,
        "dag_id": run.dag_id,
        "logical_date": run.logical_date,
        "queued_at": run.queued_at,
        "start_date": run.start_date,
        "end_date": run.end_date,
        "duration": run.duration,
        "data_interval_start": run.data_interval_start,
        "data_interval_end": run.data_interval_end,
        "run_after": run.run_after,
        "last_scheduling_decision": run.last_scheduling_decision,
        "run_type": run.run_type,
        "state": run.state,
        "triggered_by": run.triggered_by,
        "triggering_user_name": run.triggering_user_name,
        "conf": conf,
        "note": run.note,
        "dag_versions": dag_versions,
        "bundle_version": None,
        "dag_display_name": dag_display_name,
        "partition_key": None,
        "partition_date": None,
    }


_WRITER = RowWriter(
    _fields(
        DagRun._make(map(Value, DagRun._fields)),
        Value("conf"),
        Value("dag_versions"),
        Value("dag_display_name"),
    ),
    dates=(
        *("logical_date", "run_after", "data_interval_start", "data_interval_end", "queued_at"),
        *("start_date", "end_date", "last_scheduling_decision"),
    ),
    texts=("conf", "dag_versions", "dag_display_name"),
)


@cached_for_short_texts
def _compact(text: str) -> str:
    """Return a JSON text without spaces, as in responses."""
    return to_json(_parse(text)).decode()


def _parse(text: str) -> Any:
    """Return the value of a JSON text; from_json is faster, but rejects deep nesting."""
    try:
        return from_json(text)
    except ValueError:
        return json.loads(text)
