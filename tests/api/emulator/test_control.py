"""Reset, seed files and snapshots through the control plane."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.storage.emulator import EmulatorState

from tests.support import v1_calls as v1
from tests.support.calls import RUN as RUN_ID
from tests.support.emulator import CLOCK, RESET, SEED, SNAPSHOTS, freeze, problem

ENTRY = {"dag_id": "etl", "run_id": RUN_ID, "task_id": "extract", "key": "k", "value": {"a": 1}}
RUN = {"dag_id": "etl", "run_id": "r2", "state": "failed"}


def stored(client: FlaskClient) -> dict[str, Any]:
    return v1.stored_values(client)


def test_reset_removes_data_faults_requests_and_the_clock(client: FlaskClient) -> None:
    state: EmulatorState = client.application.extensions["emulator"]
    freeze(client)
    client.post(SEED, json=[ENTRY])
    state.add_fault({})
    client.get("/api/v1/dags")
    assert len(state.requests()) == 1

    assert client.post(RESET).status_code == 204

    assert state.requests() == []
    assert state.control()[1:] == ({}, ())
    assert stored(client) == {}
    assert client.get("/api/v1/dags").get_json()["dags"] == []
    assert client.get(CLOCK).get_json()["is_frozen"] is False


def test_seed_file_is_loaded(client: FlaskClient) -> None:
    answer = client.post(
        SEED, json={"dags": [{"dag_id": "d"}], "dag_runs": [RUN], "entries": [ENTRY]}
    )

    assert answer.get_json() == {"dags": 1, "dag_runs": 1, "entries": 1}
    assert stored(client) == {"k": {"a": 1}}
    assert client.get(v1.run("r2")).get_json()["state"] == "failed"


@pytest.mark.parametrize(
    ("status", "body", "words"),
    [
        (400, b"", "not JSON: "),
        (400, b"[1", "not JSON: "),
        (400, b"\xff", "not UTF-8"),
        (400, b'{"pools": []}', "unknown member 'pools'; allowed: dags, dag_runs, entries"),
        (400, json.dumps([ENTRY, ENTRY | {"kee": 1}]).encode(), "entry 2: "),
        (409, json.dumps([ENTRY, ENTRY]).encode(), "entry 2: duplicate of entry 1"),
    ],
)
def test_invalid_seed_file_stores_nothing(
    client: FlaskClient, status: int, body: bytes, words: str
) -> None:
    answer = client.post(SEED, data=body, content_type="application/json")

    assert problem(answer, status).startswith(words)
    assert stored(client) == {}


def test_seed_file_has_a_maximum_size(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(emulator=True, max_body_bytes=1000)

    problem(client.post(SEED, json=[ENTRY | {"value": "x" * 1000}]), 413)
    assert client.post(SEED, json=[ENTRY]).status_code == 200


def test_snapshots_are_saved_listed_restored_and_deleted(client: FlaskClient) -> None:
    client.post(SEED, json=[ENTRY])
    saved = client.put(f"{SNAPSHOTS}/base")
    client.post(RESET)
    assert stored(client) == {}

    restored = client.post(f"{SNAPSHOTS}/base/restore")

    assert stored(client) == {"k": {"a": 1}}
    assert (saved.status_code, restored.status_code) == (201, 200)
    assert restored.get_json() == saved.get_json()
    assert client.get(SNAPSHOTS).get_json() == {"snapshots": [saved.get_json()]}
    assert saved.get_json() | {"created_at": ""} == {
        "name": "base",
        "created_at": "",
        "dags": 1,
        "dag_runs": 1,
        "entries": 1,
    }
    assert client.put(f"{SNAPSHOTS}/base").status_code == 200
    assert client.delete(f"{SNAPSHOTS}/base").status_code == 204
    assert client.get(SNAPSHOTS).get_json() == {"snapshots": []}


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 101, "a'b", "a%00b"])
def test_name_of_a_snapshot_is_restricted(client: FlaskClient, name: str) -> None:
    words = "Invalid value of the parameter 'name': Must be 1 to 100 letters, digits, `.`, `_`"

    assert problem(client.put(f"{SNAPSHOTS}/{name}"), 400).startswith(words)


def test_unknown_snapshot_is_a_404(client: FlaskClient) -> None:
    words = "There is no snapshot 'nope'."

    assert problem(client.post(f"{SNAPSHOTS}/nope/restore"), 404) == words
    assert problem(client.delete(f"{SNAPSHOTS}/nope"), 404) == words


def test_control_plane_of_a_database_in_memory(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(emulator=True, database_url="sqlite://")
    client.post(SEED, json=[ENTRY])
    client.put(f"{SNAPSHOTS}/base")
    assert client.post(RESET).status_code == 204
    client.post(f"{SNAPSHOTS}/base/restore")

    assert stored(client) == {"k": {"a": 1}}
    assert client.get(CLOCK).get_json()["is_frozen"] is False
