"""A successful request for any operation of the documents, and the data that it needs."""

import json
from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.support.documents import DOCUMENTS, operations

RUN = "manual_1"
NAMES = {
    "dag_run_id": RUN,
    "task_id": "split",
    "map_index": "0",
    "task_try_number": "1",
    "try_number": "1",
    "key": "k",
    "xcom_key": "k",
}
"""The parts of a path except the DAG."""

_STATE = {"new_state": "failed"}
_NOTE = {"note": "n"}
BODIES: dict[tuple[str, str], Any] = {
    ("v1", "updateXComEntry"): {"key": "new", "value": "v"},
    ("v1", "updateXComValue"): {"value": "w"},
    ("v1", "post_dag_run"): {},
    ("v1", "update_dag_run_state"): {"state": "failed"},
    ("v1", "set_dag_run_note"): _NOTE,
    ("v1", "clear_dag_run"): {"dry_run": False},
    ("v1", "patch_task_instance"): _STATE,
    ("v1", "patch_mapped_task_instance"): _STATE,
    ("v1", "set_task_instance_note"): _NOTE,
    ("v1", "set_mapped_task_instance_note"): _NOTE,
    ("v1", "post_clear_task_instances"): {"dry_run": False, "only_failed": False},
    ("v1", "get_dag_runs_batch"): {},
    ("v1", "get_task_instances_batch"): {},
    ("v1", "patch_dag"): {"is_paused": True},
    ("v1", "patch_dags"): {"is_paused": True},
    ("v2", "create_xcom_entry"): {"key": "new", "value": "v"},
    ("v2", "update_xcom_entry"): {"value": "w"},
    ("v2", "trigger_dag_run"): {"logical_date": None},
    ("v2", "patch_dag_run"): {"state": "failed"},
    ("v2", "clear_dag_run"): {"dry_run": False},
    ("v2", "patch_task_instance"): _STATE,
    ("v2", "patch_task_instance_by_map_index"): _STATE,
    ("v2", "patch_task_instance_dry_run"): _STATE,
    ("v2", "patch_task_instance_dry_run_by_map_index"): _STATE,
    ("v2", "post_clear_task_instances"): {"dry_run": False, "only_failed": False},
    ("v2", "get_list_dag_runs_batch"): {},
    ("v2", "get_task_instances_batch"): {},
    ("v2", "patch_dag"): {"is_paused": True},
    ("v2", "patch_dags"): {"is_paused": True},
}
QUERIES: dict[tuple[str, str], dict[str, Any]] = {
    ("v1", "patch_dags"): {"dag_id_pattern": "~"},
    ("v2", "patch_dags"): {"dag_id_pattern": "~"},
    ("v2", "wait_dag_run_until_finished"): {"interval": 1},
}


def seed(*dag_ids: str) -> str:
    """Return a seed file with a finished run of each DAG, of a task and a mapped task."""
    tasks = [{"task_id": "extract"}, {"task_id": "split", "mapped": 2}]
    instances = [
        {"task_id": task_id, "map_index": map_index, "log": "x"}
        for task_id, map_index in (("extract", -1), ("split", 0), ("split", 1))
    ]
    return json.dumps(
        {
            "dags": [{"dag_id": dag_id, "tasks": tasks} for dag_id in dag_ids],
            "dag_runs": [
                {"dag_id": dag_id, "run_id": RUN, "task_instances": instances} for dag_id in dag_ids
            ],
            "entries": [
                {"dag_id": dag_id, "run_id": RUN, "task_id": "extract", "key": "k", "value": 1}
                for dag_id in dag_ids
            ],
        }
    )


def request(
    client: FlaskClient, version: str, operation_id: str, dag_id: str, **names: str
) -> TestResponse:
    """Send a valid request for an operation on a DAG of `seed`.

    `names` replaces other parts of the path. The path of a batch has only wildcards.
    """
    path, method = next(
        (path, method)
        for path, method, operation in operations(version)
        if operation["operationId"] == operation_id
    )
    if operation_id.endswith("_batch"):
        names["dag_id"] = names["dag_run_id"] = "~"
    is_mapped = "{map_index}" in path or path.endswith("/listMapped")
    task_id = "split" if is_mapped else "extract"
    parts = NAMES | {"task_id": task_id, "dag_id": dag_id} | names
    for name, text in parts.items():
        path = path.replace("{" + name + "}", quote(text, safe="~"))
    return client.open(
        path,
        method=method,
        query_string=QUERIES.get((version, operation_id)),
        json=BODIES.get((version, operation_id)),
    )


def lists(version: str) -> list[str]:
    """Return the operations whose response has the number of all items."""
    return [
        operation["operationId"]
        for _, _, operation in operations(version)
        if any(
            "total_entries" in _members(version, media.get("schema", {}))
            for status, response in operation["responses"].items()
            if status.startswith("2")
            for media in _resolved(version, response).get("content", {}).values()
        )
    ]


def _members(version: str, schema: dict[str, Any]) -> set[str]:
    schema = _resolved(version, schema)
    parts = [each for name in ("allOf", "anyOf", "oneOf") for each in schema.get(name, [])]
    return {*schema.get("properties", {})}.union(*(_members(version, each) for each in parts))


def _resolved(version: str, element: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in element:
        names = element["$ref"].split("/")[1:]
        element = DOCUMENTS[version]
        for name in names:
            element = element[name]
    return element
