"""A seed file with task instances: of a DAG with a definition, and of one without."""

import json
from typing import Any

from flask.testing import FlaskClient
from xcom_server import seed_file

SEED: dict[str, Any] = {
    "dags": [
        {
            "dag_id": "etl",
            "tasks": [
                {"task_id": "extract", "downstream_task_ids": ["load"], "retries": 2},
                {"task_id": "load"},
                {"task_id": "mapped", "upstream": ["load"], "mapped": 2},
                {"task_id": "expanded", "is_mapped": True},
            ],
        }
    ],
    "dag_runs": [
        {
            "dag_id": "etl",
            "run_id": "one",
            "logical_date": "2024-01-01T00:00:00Z",
            "state": "failed",
            "task_instances": [
                {
                    "task_id": "extract",
                    "state": "success",
                    "start_date": "2024-01-01T00:00:01Z",
                    "end_date": "2024-01-01T00:00:03.5Z",
                    "try_number": 2,
                    "hostname": "worker-2",
                    "queue": "heavy",
                    "rendered_fields": {"sql": "SELECT 1", "env": None},
                    "log": {"1": "failed\n", "2": "läuft\nfertig\n"},
                    "tries": [
                        {
                            "try_number": 1,
                            "state": "failed",
                            "hostname": "worker-1",
                            "start_date": "2024-01-01T00:00:00Z",
                            "end_date": None,
                            "duration": None,
                        }
                    ],
                },
                {"task_id": "load", "state": None, "pool": "small", "try_number": 0},
                {
                    "task_id": "mapped",
                    "map_index": 0,
                    "state": "upstream_failed",
                    "start_date": None,
                    "end_date": None,
                    "duration": None,
                },
                {
                    "task_id": "mapped",
                    "map_index": 1,
                    "state": "failed",
                    "start_date": "2024-01-01T00:00:00Z",
                    "end_date": "2024-01-01T00:00:00.000010Z",
                    "rendered_map_index": "1",
                },
            ],
        },
        {
            "dag_id": "etl",
            "run_id": "two",
            "logical_date": None,
            "run_after": "2024-01-02T00:00:00Z",
            "state": "running",
            "task_instances": [
                {
                    "task_id": "extract",
                    "state": "running",
                    "start_date": "2024-01-02T00:00:01Z",
                    "executor": "LocalExecutor",
                },
                {"task_id": "load", "state": "awaiting_input"},
            ],
        },
        {
            "dag_id": "other",
            "run_id": "one",
            "logical_date": "2024-01-03T00:00:00Z",
            "task_instances": [{"task_id": "only", "note": "kept"}],
        },
    ],
    "entries": [
        {"dag_id": "etl", "run_id": "one", "task_id": "extract", "key": "k", "value": 1},
    ],
}


def load(client: FlaskClient, seed: dict[str, Any] | None = None) -> FlaskClient:
    """Load this seed file, or another one, into the database of a client; return the client."""
    text = json.dumps(SEED if seed is None else seed)
    client.application.extensions["store"].load(seed_file.read(text))
    return client


def listed(body: dict[str, Any]) -> list[str]:
    """Return the run, task and map index of each task instance in a response, as one text each."""
    return [
        f"{each['dag_run_id']}/{each['task_id']}"
        + (f"/{each['map_index']}" if each.get("map_index", -1) >= 0 else "")
        for each in body["task_instances"]
    ]
