"""Endpoints for platforms: probes, version and metrics; and request ids."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from flask.testing import FlaskClient
from xcom_server import __version__
from xcom_server.observability import shared
from xcom_server.storage.sql.schema import HEAD

from tests.support import v2_calls as v2
from tests.support.v1_calls import create, entries, entry


def test_running_server_is_live_ready_and_reports_its_version(client: FlaskClient) -> None:
    assert client.get("/live").json == {"status": "live"}
    assert client.get("/ready").json == {"status": "ready"}
    assert client.get("/version").json == {
        "version": __version__,
        "schema": HEAD,
        "airflow": {"v1": "2.10.5", "v2": "3.3.2"},
    }


def test_server_without_its_database_is_live_but_not_ready(
    make_client: Callable[..., FlaskClient], database_url: str
) -> None:
    client = make_client()
    Path(database_url.removeprefix("sqlite:///")).unlink()

    assert client.get("/live").status_code == 200
    answer = client.get("/ready")
    assert (answer.status_code, answer.json) == (
        503,
        {"status": "not ready", "reason": "The database file cannot be opened."},
    )
    assert client.get("/health").get_json()["metadatabase"]["status"] == "unhealthy"


def test_draining_server_is_not_ready_but_serves_requests(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared, "_draining", bytearray(1))
    shared.begin_draining()

    answer = client.get("/ready")

    assert (answer.status_code, answer.get_json()["reason"]) == (
        503,
        "The server is about to stop.",
    )
    assert client.get("/live").status_code == client.get(entries()).status_code == 200


@pytest.mark.parametrize("given", ["abc-1", "a" * 128, "01J0:x/y.z_~"])
def test_client_request_id_is_kept(client: FlaskClient, given: str) -> None:
    for path in (entries(), "/nowhere", v2.entry("nope"), "/live"):
        assert client.get(path, headers={"X-Request-Id": given}).headers["X-Request-Id"] == given


@pytest.mark.parametrize("given", [None, "", "a" * 129, "two words", "\u00fc", "a\tb"])
def test_missing_or_invalid_request_id_is_replaced(client: FlaskClient, given: str | None) -> None:
    seen = {
        client.get(entries(), headers={"X-Request-Id": given} if given is not None else {}).headers[
            "X-Request-Id"
        ]
        for _ in range(3)
    }

    assert len(seen) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", each) for each in seen)


def test_metrics_count_by_operation_and_name_no_entry(
    client: FlaskClient,
) -> None:
    def counted() -> dict[str, float]:
        lines = client.get("/metrics").text.splitlines()
        return {
            name: float(number)
            for name, _, number in (
                line.rpartition(" ") for line in lines if not line.startswith("#")
            )
        }

    before = counted()
    create(client)
    client.get(entry("secret-name"))
    client.get("/nowhere")
    after = counted()

    def gained(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert gained('xcom_requests_total{operation="v1_updateXComEntry",status="200"}') == 1
    assert gained('xcom_requests_total{operation="v1_getXComValue",status="404"}') == 1
    assert gained('xcom_requests_total{operation="unrouted",status="404"}') == 1
    assert gained('xcom_request_duration_seconds_count{operation="v1_getXComValue"}') == 1
    # The first write finds no task instance, the second one registers it.
    assert gained('xcom_store_duration_seconds_count{kind="write"}') == 2
    assert gained('xcom_store_duration_seconds_count{kind="read"}') == 1
    assert after['xcom_pool_connections{state="in_use"}'] == 0
    assert after['xcom_pool_connections{state="max"}'] == 10
    assert not any("secret-name" in name or "etl" in name for name in after)


def test_metrics_without_their_folder_are_a_503(
    client: FlaskClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "nowhere"))

    assert client.get("/metrics").status_code == 503


def test_failed_connections_do_not_lower_the_pool_gauge(
    make_client: Callable[..., FlaskClient], tmp_path: Path
) -> None:
    client = make_client(database_url=f"sqlite:///{tmp_path}/gone/xcom.db")
    used = 'xcom_pool_connections{state="in_use"} 0.0'

    assert [client.get(entries()).status_code for _ in range(3)] == [503] * 3
    assert used in client.get("/metrics").text


def test_start_without_a_database_logs_a_warning(
    make_client: Callable[..., FlaskClient], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_client(database_url=f"sqlite:///{tmp_path}/gone/xcom.db")

    assert [(each.levelname, each.getMessage()) for each in caplog.records] == [
        (
            "WARNING",
            "The database file cannot be opened. Requests get a 503 until it is available.",
        )
    ]


def test_disabled_metrics_are_a_404(make_client: Callable[..., FlaskClient]) -> None:
    assert make_client(metrics=False).get("/metrics").status_code == 404
