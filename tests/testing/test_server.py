"""A server as a test uses it, without pytest's fixtures."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
import xcom_server
from xcom_server.testing import ControlError, Verdict, XcomServer

pytestmark = pytest.mark.slow

ENTRY = {"dag_id": "etl", "run_id": "r1", "task_id": "load", "key": "rows", "value": [1, None]}
RESULT = {"load": {"entries": {"return_value": {"rows": 5}}}}


@pytest.fixture(scope="module")
def running() -> Iterator[XcomServer]:
    with xcom_server.running(users="ann:a:b:op,ben:secret:viewer", seed=[ENTRY]) as server:
        assert [each["value"] for each in server.entries()] == [[1, None]]
        yield server


@pytest.fixture
def server(running: XcomServer) -> XcomServer:
    running.reset()
    return running


def v2(server: XcomServer, method: str, path: str, **options: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {server.token()}"}
    return requests.request(method, server.v2_url + path, headers=headers, **options)


def test_only_running_is_imported_when_it_is_used() -> None:
    with pytest.raises(AttributeError, match="module 'xcom_server' has no attribute 'start'"):
        xcom_server.start  # noqa: B018


def test_token_is_that_of_the_first_user_or_of_another_one(server: XcomServer) -> None:
    assert server.credentials == ("ann", "a:b")
    assert v2(server, "GET", "/dags").status_code == 200
    body = {"Authorization": f"Bearer {server.token('ben', 'secret')}"}
    assert requests.post(f"{server.v2_url}/dags/d/dagRuns", headers=body).status_code == 403
    with pytest.raises(ControlError) as error:
        server.token("ben", "wrong")
    assert str(error.value) == "POST /auth/token is a 401: Invalid credentials"
    assert error.value.status == 401


@pytest.mark.parametrize("kind", ["list", "object", "text", "path"])
def test_seed_takes_data_or_a_file(server: XcomServer, kind: str, tmp_path: Path) -> None:
    path = tmp_path / "seed.json"
    path.write_text(json.dumps([ENTRY]), encoding="utf-8")
    data: dict[str, Any] = {
        "list": [ENTRY],
        "object": {"entries": [ENTRY]},
        "text": str(path),
        "path": path,
    }

    assert server.seed(data[kind])["entries"] == 1
    (entry,) = server.entries()
    assert (entry["dag_id"], entry["key"], entry["value"]) == ("etl", "rows", [1, None])
    assert entry["v1_text"] == "[1, None]"
    assert [run["run_id"] for run in server.runs()] == ["r1"]


def test_invalid_seed_is_an_error_that_names_the_place(server: XcomServer) -> None:
    with pytest.raises(ControlError, match=r"POST /_emulator/seed is a 400: .*entry 1"):
        server.seed([{**ENTRY, "key": 1}])


def test_entries_and_runs_are_found_by_their_ids(server: XcomServer) -> None:
    server.seed([{**ENTRY, "key": f"k{number:03}"} for number in range(150)])
    server.seed([{**ENTRY, "dag_id": "other", "run_id": "r2"}])

    assert len(server.entries()) == 151
    assert len(server.entries(dag_id="etl")) == 150
    assert [each["key"] for each in server.entries(key="k149")] == ["k149"]
    assert server.entries(dag_id="etl", run_id="r2") == []
    assert server.entries(task_id="nothing") == []
    assert [each["run_id"] for each in server.runs(dag_id="other")] == ["r2"]
    assert server.runs(run_id="r3") == []


def test_script_says_what_a_triggered_run_does(server: XcomServer) -> None:
    server.script("etl", tasks=RESULT, states=["success"])
    body = {"dag_run_id": "r", "logical_date": None}
    v2(server, "POST", "/dags/etl/dagRuns", json=body)

    assert v2(server, "GET", "/dags/etl/dagRuns/r").json()["state"] == "success"
    assert [each["value"] for each in server.entries(run_id="r")] == [{"rows": 5}]


def test_scripts_of_successive_runs(server: XcomServer) -> None:
    server.script("etl", [{"states": ["failed"]}, {"states": ["success"]}])
    states = []
    for run in ("one", "two"):
        v2(server, "POST", "/dags/etl/dagRuns", json={"dag_run_id": run, "logical_date": None})
        states.append(v2(server, "GET", f"/dags/etl/dagRuns/{run}").json()["state"])

    assert states == ["failed", "success"]
    with pytest.raises(TypeError, match="a script or its fields, not both"):
        server.script("etl", {}, states=["failed"])


def test_requests_are_those_of_the_client_with_verdicts(server: XcomServer) -> None:
    v2(server, "GET", "/dags?limit=2")
    requests.get(f"{server.v2_url}/nothing", auth=("ann", "secret"))

    first, second = server.requests
    assert (first.method, first.target) == ("GET", "/api/v2/dags?limit=2")
    assert (first.operation, first.status) == ("v2.get_dags", 200)
    assert first.client.startswith("python-requests/")
    assert first.verdict is Verdict.CONFORMS
    assert json.loads(first.response)["total_entries"] == 0
    assert first.raw["items"] == 0
    assert (second.status, second.verdict) == (404, Verdict.REFUSED)
    assert "secret" not in str(second.raw)


def test_reset_empties_the_store_and_the_journal(server: XcomServer) -> None:
    server.seed([ENTRY])
    requests.get(f"{server.v2_url}/version")
    server.reset()

    assert (server.entries(), server.runs(), server.requests) == ([], [], [])


def test_snapshot_can_be_restored_after_a_reset(server: XcomServer) -> None:
    server.seed([ENTRY])
    server.snapshot("one-entry")
    server.snapshot()
    server.reset()
    server.restore("one-entry")

    assert len(server.entries()) == 1
    with pytest.raises(ControlError, match="is a 404"):
        server.restore("another")


def timestamp_of_new_entry(server: XcomServer) -> datetime:
    key = str(len(server.entries()))
    server.seed([{**ENTRY, "key": key}])
    return datetime.fromisoformat(server.entries(key=key)[0]["timestamp"])


def test_clock_can_be_stopped_and_moved(server: XcomServer) -> None:
    server.freeze(datetime(2026, 1, 1))
    server.advance(60)
    server.advance(timedelta(minutes=1))
    assert timestamp_of_new_entry(server) == datetime(2026, 1, 1, 0, 2, tzinfo=UTC)

    server.freeze("2027-01-01T00:00:00Z")
    server.freeze()
    assert timestamp_of_new_entry(server) == datetime(2027, 1, 1, tzinfo=UTC)

    server.unfreeze()
    before = datetime.now(UTC)
    assert timestamp_of_new_entry(server) >= before


def test_token_expires_by_the_clock_of_the_server(server: XcomServer) -> None:
    headers = {"Authorization": f"Bearer {server.token()}"}
    server.advance(25 * 60 * 60)

    assert requests.get(f"{server.v2_url}/dags", headers=headers).status_code == 401


def test_faults_are_counted_and_removed(server: XcomServer) -> None:
    once = server.fail("get_dags", times=1)
    always = server.fail("v2.*", "status", status=429, retry_after=3, client="python", share=1)
    assert v2(server, "GET", "/dags").status_code == 503
    refused = v2(server, "GET", "/dags")
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, "3")
    assert (once.applied, always.applied) == (1, 1)
    always.remove()

    assert v2(server, "GET", "/dags").status_code == 200
    assert [request.fault for request in server.requests] == ["status", "status", ""]


def test_invalid_fault_is_an_error(server: XcomServer) -> None:
    with pytest.raises(ControlError, match=r"no operation matches 'getXComValu'\. Did you mean"):
        server.fail("getXComValu")
    with pytest.raises(TypeError, match="write status=503"):
        server.fail("get_dags", 503)  # type: ignore[arg-type]
    with pytest.raises(ControlError, match="POST /_emulator/faults is a 400"):
        server.fail("*", "no_such_effect")
    assert v2(server, "GET", "/dags").status_code == 200
