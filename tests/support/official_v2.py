"""Helpers for tests of the clients of Airflow 3."""

from typing import Any

import requests

from tests.support.live_server import LiveServer
from tests.support.official import OfficialClient

RUN = "scheduled__2024-01-01T00:00:00+00:00"
SHARED = {"key", "timestamp", "logical_date", "map_index", "task_id", "dag_id", "run_id"}
ITEM = {"3.0.2": SHARED, "3.3.2": {*SHARED, "dag_display_name", "task_display_name", "run_after"}}
"""Versions of the client -> the fields of its listed entries."""


def token_of(server: LiveServer, name: str) -> str:
    """Return a new token for a user whose password equals the name."""
    answer = requests.post(f"{server.url}/auth/token", json={"username": name, "password": name})
    assert answer.status_code == 201, answer.text
    token: str = answer.json()["access_token"]
    return token


def create(official: OfficialClient, place: dict[str, str], **body: Any) -> dict[str, Any]:
    """Create an entry of a task and return it."""
    return official.read("create_xcom_entry", **place, x_com_create_body=body)


def update(
    official: OfficialClient,
    place: dict[str, str],
    key: str,
    **body: Any,
) -> dict[str, Any]:
    """Update an entry of a task and return it."""
    return official.read("update_xcom_entry", **place, xcom_key=key, x_com_update_body=body)
