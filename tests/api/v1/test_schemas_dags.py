"""DAGs and tasks of recorded seeds in v1: every field as the recording server returned it."""

import json
from functools import cache
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.parity import neighbour_seeds
from tests.support.paths import PARITY
from tests.support.task_instance_seed import load
from tests.support.v1_calls import dag

SECRET = "file_token"  # depends on a key of the recording server
LOADED = "last_parsed"  # the time at which that server loaded a DAG


@cache
def recorded_dags() -> dict[str, dict[str, Any]]:
    """Return the recorded DAGs by id."""
    text = (PARITY / "neighbours" / "v1.seed.json").read_text(encoding="utf-8")
    return {each["dag_id"]: each for each in json.loads(text)["dags"]}


@pytest.fixture
def seeded(client: FlaskClient) -> FlaskClient:
    """Return a client of a server with the recorded DAGs and no runs."""
    text = (PARITY / "neighbours" / "v1.seed.json").read_text(encoding="utf-8")
    return load(client, {"dags": neighbour_seeds.convert(json.loads(text))["dags"]})


def test_every_recorded_field_is_the_same(seeded: FlaskClient) -> None:
    for dag_id, recorded in recorded_dags().items():
        summary = seeded.get(dag(dag_id)).get_json()
        details = seeded.get(f"{dag(dag_id)}/details").get_json()
        tasks = seeded.get(f"{dag(dag_id)}/tasks").get_json()["tasks"]

        assert summary.pop(SECRET)
        assert details.pop(SECRET)
        assert details.pop(LOADED).endswith("+00:00")
        assert summary == _without(recorded["api"], SECRET)
        assert details == _without(recorded["details"], SECRET, LOADED)
        assert tasks == sorted(_comparable(recorded["tasks"]), key=lambda each: each["task_id"])


def test_list_contains_the_same_fields(seeded: FlaskClient) -> None:
    listed = seeded.get("/api/v1/dags?only_active=false").get_json()["dags"]

    assert listed == [seeded.get(dag(each["dag_id"])).get_json() for each in listed]
    assert len(listed) == len(recorded_dags())


def _without(body: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in body.items() if name not in names}


def _comparable(tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [task | {"downstream_task_ids": sorted(task["downstream_task_ids"])} for task in tasks]
