"""Health, version, the document and its page, tokens, and compressed responses."""

import gzip
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import jwt
import pytest
from flask.testing import FlaskClient

from tests.support.documents import parse
from tests.support.paths import ROOT
from tests.support.v2_calls import create, entries, entry, error_detail

FORM = "application/x-www-form-urlencoded"


def test_health_reports_every_component(
    make_client: Callable[..., FlaskClient], database_url: str
) -> None:
    client = make_client()
    healthy = client.get("/api/v2/monitor/health")
    Path(database_url.removeprefix("sqlite:///")).write_bytes(b"this is no database" * 1000)
    broken = client.get("/api/v2/monitor/health")

    assert re.fullmatch(
        r'{"metadatabase":{"status":"healthy"},"scheduler":{"status":"healthy",'
        r'"latest_scheduler_heartbeat":"[-\d]{10}T[:\d]{8}(\.\d{6})?\+00:00"},'
        r'"triggerer":{"status":null,"latest_triggerer_heartbeat":null},'
        r'"dag_processor":{"status":null,"latest_dag_processor_heartbeat":null}}',
        healthy.text,
    )
    assert (broken.status_code, broken.get_json()["metadatabase"]) == (200, {"status": "unhealthy"})


@pytest.mark.parametrize("path", ["/api/v2/health", "/api/v2/version/", "/api/v2/dags/"])
def test_addresses_that_airflow_does_not_have_are_a_404(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert (answer.status_code, answer.get_json()) == (404, {"error": "API route not found"})


def test_version_is_the_emulated_release(client: FlaskClient) -> None:
    assert client.get("/api/v2/version").get_json()["version"] == "3.3.2"


def test_document_is_served_unchanged(client: FlaskClient) -> None:
    source = (ROOT / "openapi" / "v2.yaml").read_bytes()

    assert client.get("/api/v2/openapi.yaml").data == source
    assert client.get("/api/v2/openapi.json").get_json() == parse(source)


@pytest.mark.parametrize(
    "path",
    [
        entries(),
        entry("k"),
        entry("nope"),
        "/api/v2/version",
        "/api/v2/nope",
        entries() + "?limit=x",
    ],
)
def test_response_is_compressed_if_gzip_is_accepted(client: FlaskClient, path: str) -> None:
    create(client, "k", "x" * 5000)

    plain = client.get(path)
    packed = client.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"})

    assert gzip.decompress(packed.data) == plain.data
    assert packed.headers["Content-Encoding"] == "gzip"
    assert plain.headers["Vary"] == packed.headers["Vary"] == "Accept-Encoding"
    for refused_coding in ("identity", "gzip;q=0", "*", "br"):
        answer = client.get(path, headers={"Accept-Encoding": refused_coding})
        assert "Content-Encoding" not in answer.headers


def test_internal_error_reveals_nothing(make_client: Callable[..., FlaskClient]) -> None:
    client = make_client()

    def fail() -> NoReturn:
        raise RuntimeError("secret of the database")

    client.application.add_url_rule("/api/v2/fail", "fail", fail)
    answer = client.get("/api/v2/fail")

    assert error_detail(answer, 500) == "Internal Server Error"


@pytest.fixture
def guarded(make_client: Callable[..., FlaskClient], users_file: Path) -> FlaskClient:
    return make_client(auth="users", users_file=str(users_file), token_lifetime_seconds=7200)


@pytest.mark.parametrize(("path", "seconds"), [("/auth/token", 7200), ("/auth/token/cli", 3600)])
def test_token_has_airflows_claims(guarded: FlaskClient, path: str, seconds: int) -> None:
    answer = guarded.post(path, json={"username": "op", "password": "op"})

    assert answer.status_code == 201
    token = answer.get_json()["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})
    assert (claims["sub"], claims["role"], claims["aud"]) == ("op", "op", "apache-airflow")
    assert claims["exp"] - claims["iat"] == seconds
    assert jwt.get_unverified_header(token)["alg"] == "HS512"


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ('{"username": "op", "password": "op"}', None, 201),
        ('{"username": "op", "password": "op"}', "application/json; charset=utf-8", 201),
        ('{"username": "x", "username": "op", "password": "op"}', None, 201),
        ("username=op&password=op", FORM, 201),
        ("username=%6fp&password=op&grant_type=x", FORM, 201),
        ("username=op&password=x&password=op", FORM, 201),
        ("username=op&password=", FORM, 400),
        ('{"username": "op", "password": ""}', None, 400),
        ('{"username": "op", "password": "x"}', None, 401),
        ('{"username": "ghost", "password": "op"}', None, 401),
        ("username=op&password=op", "multipart/form-data", 415),
        ("{}", "text/plain", 415),
        ("", None, 422),
        ("{", None, 422),
        ("[]", None, 422),
        ('{"username": NaN}', None, 422),
        ("username=op", FORM, 422),
        ("\xff", FORM, 422),
    ],
)
def test_login_needs_a_valid_username_and_password(
    guarded: FlaskClient, body: str, content_type: str | None, status: int
) -> None:
    headers = {"Content-Type": content_type} if content_type else {}

    answer = guarded.post("/auth/token", data=body, headers=headers)

    assert answer.status_code == status
    assert answer.get_json().keys() == {"access_token" if status == 201 else "detail"}
    assert isinstance(answer.get_json().get("detail", ""), str)


@pytest.mark.parametrize("path", ["/auth/token", "/auth/token/cli"])
@pytest.mark.parametrize(
    "body",
    [
        "hunter2",
        ["hunter2"],
        {"username": "op", "x": [{"password": "hunter2"}]},
        {"password": "hunter2"},
        {"username": 5, "password": "hunter2"},
        {"username": "op", "pwd": "hunter2"},
        {"username": ["hunter2"], "password": 1},
        {"username": "op", "passwd": "hunter2"},
        {"username": "op", "Password": ["hunter2"]},
        {"username": "op", "password": ["hunter2"]},
        {"username": "op", "password": {"a": "hunter2"}},
        {"username": "op", "password": "hunter2", "x": 1},
        {"username": "op", "password": "hunter2"},
    ],
)
def test_errors_never_repeat_a_password(guarded: FlaskClient, path: str, body: Any) -> None:
    text = json.dumps(body)
    for content_type in ("application/json", "text/plain", FORM):
        answer = guarded.post(path, data=text, content_type=content_type)

        assert answer.status_code in (401, 415, 422)
        assert "hunter2" not in answer.text


@pytest.mark.parametrize("path", ["/auth/token", "/auth/token/cli"])
def test_login_reports_at_most_100_errors(guarded: FlaskClient, path: str) -> None:
    answer = guarded.post(path, json={f"x{number}": number for number in range(20_000)})

    assert answer.status_code == 422
    assert (
        answer.text.count("Extra inputs are not permitted") == 98
    )  # and two errors for missing fields


def test_only_an_open_server_issues_tokens_without_credentials(
    guarded: FlaskClient, client: FlaskClient
) -> None:
    assert "simple_auth_manager_all_admins" in error_detail(guarded.get("/auth/token"), 403)
    assert client.get("/auth/token").status_code == 201
    assert client.post("/auth/token", json={"username": "", "password": ""}).status_code == 201
