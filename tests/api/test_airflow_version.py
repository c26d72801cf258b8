"""XCOM_AIRFLOW_VERSION: a server with one release of Airflow responds as that release."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server import releases
from xcom_server.api import v1 as api_v1
from xcom_server.api import v2 as api_v2
from xcom_server.factory import create_app
from xcom_server.settings import Settings, SettingsError

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.paths import ROOT

RECORDED = ROOT / "tests" / "parity"
REMOVED = {
    "error": "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2"
    " instead."
}


@pytest.fixture(scope="module")
def clients(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path
) -> Iterator[dict[str, FlaskClient]]:
    """Yield release -> a client of a server that emulates it, with an empty database."""
    url = f"sqlite:///{empty_database}"
    apps = {
        text: create_app(Settings(airflow_version=text, database_url=url, validate_responses=True))
        for text in (*releases.VERSIONS, releases.ALL)
    }
    yield {text: app.test_client() for text, app in apps.items()}
    for app in apps.values():
        app.extensions["store"].close()


@pytest.fixture(scope="module")
def airflow2(clients: dict[str, FlaskClient]) -> FlaskClient:
    return clients["2.10.5"]


@pytest.fixture(scope="module")
def airflow3(clients: dict[str, FlaskClient]) -> FlaskClient:
    return clients["3.3.2"]


def test_releases_are_those_of_the_packages() -> None:
    assert releases.VERSIONS == {api_v1.AIRFLOW_VERSION: "v1", api_v2.AIRFLOW_VERSION: "v2"}
    assert Settings().airflow_version == "2.10.5,3.3.2"


@pytest.mark.parametrize("text", ["2.10.5,3.3.2", "3.3.2, 2.10.5", "2.10.5", " 3.3.2"])
def test_releases_are_accepted_in_any_order(text: str) -> None:
    settings = Settings.from_env({"XCOM_AIRFLOW_VERSION": text})

    assert [*releases.parse(settings.airflow_version)] == [
        name for name, release in (("v1", "2.10.5"), ("v2", "3.3.2")) if release in text
    ]


@pytest.mark.parametrize("text", ["3", "2.11.2", "v1", "2.10.5,2.10.5", "2.10.5,", "2.10.5 3.3.2"])
def test_other_releases_are_refused_with_the_list(text: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings.from_env({"XCOM_AIRFLOW_VERSION": text})

    assert str(error.value) == (
        f"XCOM_AIRFLOW_VERSION must be 2.10.5 or 3.3.2, or both separated by a comma, not {text!r}."
    )


def recorded(file: str, *case_ids: str) -> list[Any]:
    lines = (RECORDED / file).read_text(encoding="utf-8").splitlines()
    return [case for line in lines if (case := json.loads(line))["id"] in case_ids]


@pytest.mark.parametrize(
    "case",
    [
        *recorded("airflow-3.3.2.cases.jsonl", "path-api-v1", "path-api-v1-xcom"),
        *recorded("neighbours/v2.cases.jsonl", "I-health-v1-full", "I-root-health"),
    ],
    ids=lambda case: case["id"],
)
def test_airflow_3_responds_as_recorded(airflow3: FlaskClient, case: Any) -> None:
    response = airflow3.get(case["request"]["path"])

    assert response.status_code == case["response"]["status"] == 404
    assert response.content_type == case["response"]["headers"]["content-type"]
    assert response.get_json() == case["response"]["body"]


@pytest.mark.parametrize("path", [v1.entries(), "/api/v1/", "/api/v1//x", "/api/v1/ui/"])
def test_airflow_3_has_no_v1(airflow3: FlaskClient, path: str) -> None:
    assert airflow3.get(path).get_json() == REMOVED
    assert airflow3.get("/api/v1").get_json() == {"error": "API route not found"}


@pytest.mark.parametrize("path", [v1.entries(), "/health"])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"])
def test_airflow_3_has_only_get_for_what_it_removed(
    airflow3: FlaskClient, method: str, path: str
) -> None:
    """In Airflow 3, the routes for the 404s have no other method."""
    response = airflow3.open(path, method=method, json={} if method == "POST" else None)

    assert (response.status_code, response.headers["Allow"]) == (405, "GET")
    assert method == "HEAD" or response.get_json() == {"detail": "Method Not Allowed"}


@pytest.mark.parametrize(
    "path",
    [v2.entries(), "/api/v2", "/api/v2/version", "/api/v2/ui/", "/openapi.json", "/api", "/x"],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_airflow_2_responds_with_a_page_outside_v1(
    airflow2: FlaskClient, method: str, path: str
) -> None:
    is_page(airflow2.open(path, method=method), 404)


def test_airflow_2_has_no_tokens(airflow2: FlaskClient) -> None:
    credentials = {"username": "ann", "password": "secret"}

    is_page(airflow2.post("/auth/token", json=credentials), 404)
    is_page(airflow2.get("/auth/token"), 404)


def test_airflow_2_has_pages_for_wrong_methods_and_not_below_v1(airflow2: FlaskClient) -> None:
    wrong = airflow2.post("/health")
    is_page(wrong, 405)
    assert {*wrong.headers["Allow"].split(", ")} == {"GET", "HEAD", "OPTIONS"}
    for path in ("/api/v1", "/api/v1/nothing"):
        assert airflow2.get(path).content_type == "application/problem+json", path
    assert airflow2.get("/health").get_json()["metadatabase"] == {"status": "healthy"}


def is_page(response: Any, status: int) -> None:
    """Assert that this is a page as in Airflow 2.10.5, of which a recording has the title."""
    assert response.status_code == status
    assert response.content_type == "text/html; charset=utf-8"
    assert f"<title>Airflow {status}</title>" in response.text
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(("release", "name"), releases.VERSIONS.items())
def test_everything_that_lists_versions_has_only_one(
    clients: dict[str, FlaskClient], release: str, name: str
) -> None:
    client = clients[release]
    other = {"v1": "v2", "v2": "v1"}[name]

    start = client.get("/", headers={"Accept": "text/html"}).text
    links = {line.split('"')[1] for line in start.splitlines() if 'href="/' in line}

    assert client.get("/version").get_json()["airflow"] == {name: release}
    assert f"API {name}, as in Airflow {release}" in start
    assert f"API {other}" not in start
    for link in links:
        assert client.get(link).status_code == 200, link
    assert client.get(f"/api/{name}/openapi.json").get_json()["info"]["version"]
    assert {rule.rule for rule in client.application.url_map.iter_rules()} >= {"/live", "/ready"}


def test_root_document_is_that_of_airflow_3(airflow3: FlaskClient) -> None:
    assert airflow3.get("/openapi.json").data == airflow3.get("/api/v2/openapi.json").data


@pytest.mark.parametrize("path", ["/live", "/ready", "/version", "/metrics"])
@pytest.mark.parametrize("release", releases.VERSIONS)
def test_probes_are_those_of_the_server(
    clients: dict[str, FlaskClient], release: str, path: str
) -> None:
    alone, both = clients[release].get(path), clients[releases.ALL].get(path)

    assert alone.status_code == both.status_code == 200
    assert alone.content_type == both.content_type


def test_entries_of_each_release_are_the_same_as_with_both(
    clients: dict[str, FlaskClient],
) -> None:
    for release, path in (("2.10.5", v1.entries()), ("3.3.2", v2.entries())):
        alone, both = clients[release].get(path), clients[releases.ALL].get(path)
        assert alone.data == both.data
        assert [each for each in alone.headers if each[0] != "X-Request-Id"] == [
            each for each in both.headers if each[0] != "X-Request-Id"
        ]
