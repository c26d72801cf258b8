"""Helpers for tests of the clients' calls on DAG runs."""

from collections.abc import Callable
from typing import Any


def dag(dag_id: str) -> dict[str, Any]:
    """Return a DAG of a seed file whose runs succeed after three reads."""
    return {
        "dag_id": dag_id,
        "tasks": [{"task_id": "extract"}, {"task_id": "load", "upstream": ["extract"]}],
        "script": {
            "states": ["queued", "running", "success"],
            "advance": "read",
            "tasks": {
                "extract": {"entries": {"return_value": {"rows": 5, "table": {"$conf": "table"}}}},
                "load": {},
            },
        },
    }


def polled(read: Callable[[], dict[str, Any]]) -> list[str]:
    """Read a run until it has finished and return its states."""
    states: list[str] = []
    while not states or states[-1] in ("queued", "running"):
        states.append(read()["state"])
        assert len(states) < 10, states
    return states
