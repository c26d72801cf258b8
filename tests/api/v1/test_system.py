"""Health, version, the document and its page, and the headers of every response."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from flask.testing import FlaskClient

from tests.support.documents import parse
from tests.support.paths import ROOT
from tests.support.v1_calls import create, entries, entry, error_detail

HEALTHY = {
    "dag_processor": {"latest_dag_processor_heartbeat": None, "status": None},
    "metadatabase": {"status": "healthy"},
    "scheduler": {
        "latest_scheduler_heartbeat": "2024-01-01T00:00:00.000001+00:00",
        "status": "healthy",
    },
    "triggerer": {"latest_triggerer_heartbeat": None, "status": None},
}


@pytest.fixture
def stopped_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2024, 1, 1, microsecond=1, tzinfo=UTC)
    monkeypatch.setattr("xcom_server.clock.now", lambda: now)


@pytest.mark.usefixtures("stopped_clock")
@pytest.mark.parametrize("path", ["/api/v1/health", "/health"])
def test_health_reports_a_working_database_and_a_heartbeat(client: FlaskClient, path: str) -> None:
    assert client.get(path).get_json() == HEALTHY


def test_scheduler_can_be_unhealthy(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client(scheduler_healthy=False)

    for path in ("/api/v1/health", "/health", "/api/v2/monitor/health"):
        found = client.get(path).get_json()
        assert found["scheduler"] == {"latest_scheduler_heartbeat": None, "status": "unhealthy"}
        assert found["metadatabase"] == {"status": "healthy"}


@pytest.mark.parametrize("path", ["/api/v1/health", "/health"])
def test_health_reports_a_broken_database(
    make_client: Callable[..., FlaskClient], database_url: str, path: str
) -> None:
    client = make_client()
    file = database_url.removeprefix("sqlite:///")
    with open(file, "wb") as database:
        database.write(b"this is no database" * 1000)

    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.get_json()["metadatabase"] == {"status": "unhealthy"}


@pytest.mark.usefixtures("stopped_clock")
def test_health_outside_the_api_is_one_line_of_json(client: FlaskClient) -> None:
    assert client.get("/health").text == json.dumps(HEALTHY, sort_keys=True)


def test_version_is_the_emulated_release(client: FlaskClient) -> None:
    assert client.get("/api/v1/version").get_json()["version"] == "2.10.5"


def test_document_is_served_unchanged(client: FlaskClient) -> None:
    source = (ROOT / "openapi" / "v1.yaml").read_bytes()

    assert client.get("/api/v1/openapi.yaml").data == source
    assert client.get("/api/v1/openapi.json").get_json() == parse(source)


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/nope",
        "/api/v1//health",
        "/api/v1/health/",
        "/api/v3/x",
        "/authx",
    ],
)
def test_unknown_path_is_a_problem_document(client: FlaskClient, path: str) -> None:
    assert error_detail(client.get(path), 404, "Not Found") == (
        "The requested URL was not found on the server. If you entered the URL manually please"
        " check your spelling and try again."
    )


@pytest.mark.parametrize("path", ["/api/v1/version", entries(), entry("nope"), "/api/v1/nope"])
def test_every_response_has_airflows_headers(client: FlaskClient, path: str) -> None:
    headers = client.get(path).headers

    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Robots-Tag"] == "noindex, nofollow"


def test_head_equals_get_without_a_body(client: FlaskClient) -> None:
    create(client)

    for path, status in ((entry("k"), 200), (entries(), 200), (entry("nope"), 404)):
        answer = client.head(path)
        assert (answer.status_code, answer.data) == (status, b"")
        assert answer.content_type == client.get(path).content_type


def test_options_lists_the_methods(client: FlaskClient) -> None:
    answer = client.options(entries())

    assert answer.status_code == 200
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_internal_error_reveals_nothing(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client()

    def fail() -> NoReturn:
        raise RuntimeError("secret of the database")

    client.application.add_url_rule("/fail", "fail", fail)
    answer = client.get("/fail")

    detail = error_detail(answer, 500, "Internal Server Error")
    assert detail == "Internal error; see the server log."
    assert "secret" not in answer.text
