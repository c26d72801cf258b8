"""XCOM_AUTH=any: any name and password, but only the kind of credentials that Airflow accepts."""

import logging
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xcom_server.auth import passwords
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support import v1_calls as v1
from tests.support import v2_calls as v2
from tests.support.access import basic, token

Make = Callable[..., FlaskClient]
TOKEN = "<token>"
"""Stands for a valid token of the server to which the request is sent."""


@pytest.fixture
def client(make_client: Make) -> FlaskClient:
    return make_client(auth="any")


def bearer(client: FlaskClient, name: str = "ann") -> dict[str, str]:
    return {"Authorization": f"Bearer {token(client, name)}"}


def test_v1_takes_any_basic_credentials(client: FlaskClient) -> None:
    for name, password in (("ann", "secret"), ("Jörg", "p:w"), ("ann", "x" * 2000)):
        answer = client.get(v1.entries(), headers={"Authorization": basic(name, password)})
        assert answer.status_code == 200, name


def test_v2_takes_a_token_of_any_name(client: FlaskClient) -> None:
    assert client.get(v2.entries(), headers=bearer(client)).status_code == 200
    form = client.post("/auth/token", data={"username": "ben", "password": "x"})
    cli = client.post("/auth/token/cli", json={"username": "ben", "password": "x"})
    for answer in (form, cli):
        headers = {"Authorization": f"Bearer {answer.get_json()['access_token']}"}
        created = client.post(v2.entries(), json={"key": "k", "value": 1}, headers=headers)
        assert created.status_code == 201, created.get_json()
        assert client.delete(v2.entry("k"), headers=headers).status_code == 204


REFUSED: list[dict[str, Any]] = [
    {},
    *(
        {"headers": {"Authorization": text}}
        for text in (
            "",
            "Basic",
            "Basic !!!",
            "Basic YTph\u00e9",
            "Basic " + b64encode(b"no colon").decode(),
            "Basic " + b64encode(b"\xff:\xff").decode(),
            basic("", ""),
            basic("", "secret"),
            basic("viewer", ""),
            basic("n" * 251, "secret"),
            basic("line\nbreak", "secret"),
            "Bearer",
            "Bearer abc",
            "Bearer a.b.c",
            "Token abc",
        )
    ),
    {"headers": {"Cookie": "session=abc; _token=abc"}},
    {"query_string": {"token": "abc", "access_token": "abc"}},
]
LOGINS: list[dict[str, Any]] = [
    {"method": "GET"},
    {},
    {"json": {}},
    {"json": []},
    {"json": {"username": "", "password": "x"}},
    {"json": {"username": "ann", "password": ""}},
    {"json": {"username": "a:b", "password": "x"}},
    {"json": {"username": "n" * 251, "password": "x"}},
    {"json": {"username": "\ud800", "password": "x"}},
    {"json": {"username": "ann"}},
    {"json": {"username": "ann", "password": 1}},
    {"json": {"username": "ann", "password": "x", "extra": 1}},
    {"data": "username=ann", "content_type": "text/plain"},
    {"data": {"username": "ann", "password": ""}},
]
REQUESTS: list[tuple[str, dict[str, Any]]] = [
    *((api.entry("k"), request) for api in (v1, v2) for request in REFUSED),
    (v1.entry("k"), {"headers": {"Authorization": f"Bearer {TOKEN}"}}),
    (v1.entries(), {"method": "POST", "json": {"key": "k", "value": "v"}}),
    (v2.entry("k"), {"headers": {"Authorization": basic("admin", "admin")}}),
    (v2.entry("k"), {"headers": {"Authorization": f"{TOKEN}"}}),
    (v2.entries(), {"method": "POST", "json": {"key": "k", "value": "v"}}),
    (v2.entries(), {"method": "POST", "data": "{", "content_type": "application/json"}),
    *(("/auth/token", {"method": "POST"} | request) for request in LOGINS),
    ("/auth/token/cli", {"method": "POST", "json": {"username": "", "password": "x"}}),
]


@pytest.fixture(scope="module")
def servers(
    tmp_path_factory: pytest.TempPathFactory, empty_database: Path, users_file: Path
) -> Iterator[dict[str, FlaskClient]]:
    """Yield a client of a server with `any` and one of a server with `users`, both empty."""
    folder = tmp_path_factory.mktemp("any")
    apps = {
        auth: create_app(
            Settings(
                auth=auth,
                database_url=f"sqlite:///{empty_database}",
                users_file=str(users_file),
                token_key_file=str(folder / f"{auth}.key"),
                validate_responses=True,
            )
        )
        for auth in ("any", "users")
    }
    yield {auth: app.test_client() for auth, app in apps.items()}
    for app in apps.values():
        app.extensions["store"].close()


@pytest.mark.parametrize(("path", "request_"), REQUESTS)
def test_refusal_is_the_one_of_a_server_with_users(
    servers: dict[str, FlaskClient], path: str, request_: dict[str, Any]
) -> None:
    refused, expected = (sent(servers[auth], path, request_) for auth in ("any", "users"))

    assert expected.status_code >= 400
    assert refused.status_code == expected.status_code
    assert refused.data == expected.data
    assert headers_of(refused) == headers_of(expected)


def sent(client: FlaskClient, path: str, request: dict[str, Any]) -> Any:
    """Send a request with a token of this server in the place of TOKEN."""
    text = request.get("headers", {}).get("Authorization", "")
    if TOKEN in text:
        headers = {"Authorization": text.replace(TOKEN, token(client, "admin"))}
        request = request | {"headers": headers}
    return client.open(path, **request)


def headers_of(response: Any) -> dict[str, str]:
    return {name: value for name, value in response.headers if name != "X-Request-Id"}


def test_basic_on_v2_and_a_token_on_v1_are_a_401(client: FlaskClient) -> None:
    """The commonest bug of a migrated client, which a server without users does not find."""
    at_v2 = client.get(v2.entries(), headers={"Authorization": basic("ann", "secret")})
    at_v1 = client.get(v1.entries(), headers=bearer(client))

    assert (at_v2.status_code, at_v2.get_json()) == (401, {"detail": "Not authenticated"})
    assert v1.error_detail(at_v1, 401, "Unauthorized") is None


def test_token_expires_by_the_clock_of_the_control_plane(make_client: Make) -> None:
    client = make_client(auth="any", emulator=True, token_lifetime_seconds=60)
    headers = bearer(client)
    assert client.get(v2.entries(), headers=headers).status_code == 200

    client.post("/_emulator/clock/advance", json={"seconds": 61})

    assert v2.error_detail(client.get(v2.entries(), headers=headers), 401) == "Token Expired"
    assert client.get(v2.entries(), headers=bearer(client)).status_code == 200


def test_log_has_the_name(make_client: Make, caplog: pytest.LogCaptureFixture) -> None:
    client = make_client(auth="any", log_requests=True)
    caplog.set_level(logging.INFO, logger="xcom_server.requests")
    client.get(v1.entries(), headers={"Authorization": basic("ann", "secret")})
    client.get(v2.entries(), headers=bearer(client, "ben"))

    users = [getattr(each, "user", None) for each in caplog.records]
    assert users == ["ann", None, "ben"]
    assert "secret" not in caplog.text


def test_no_password_is_hashed(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(passwords, "_hasher")

    headers = {"Authorization": basic("ann", "secret")}
    assert client.get(v1.entries(), headers=headers).status_code == 200
    assert client.get(v2.entries(), headers=bearer(client)).status_code == 200


def test_hosts_with_one_key_file_accept_each_others_tokens(
    make_client: Make, tmp_path: Path
) -> None:
    one, two = make_client(auth="any"), make_client(auth="any")
    other = make_client(auth="any", token_key_file=str(tmp_path / "other.key"))

    headers = bearer(one)

    assert two.get(v2.entries(), headers=headers).status_code == 200
    refused = other.get(v2.entries(), headers=headers)
    assert v2.error_detail(refused, 403) == "Invalid JWT token"


def test_token_is_not_valid_later_with_users(make_client: Make, users_file: Path) -> None:
    headers = bearer(make_client(auth="any"), "admin")

    with_users = make_client(auth="users", users_file=str(users_file))

    refused = with_users.get(v2.entries(), headers=headers)
    assert v2.error_detail(refused, 403) == "Invalid JWT token"
