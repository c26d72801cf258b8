"""Requests that a page of another site makes a browser send are refused, and nothing is stored."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder

from tests.support import v1_calls, v2_calls

FOREIGN = "attacker.example"
WRONG_HOST = (
    "The Host header is missing or is not a name of this server. XCOM_ALLOWED_HOSTS adds names."
)
WRONG_ORIGIN = (
    "The request was sent by a page of another site, and such requests may only read."
    " XCOM_ALLOWED_ORIGINS adds sites."
)
ENTRY = {"key": "k", "value": "v"}
OUTSIDE_THE_API = (
    "/",
    "/live",
    "/ready",
    "/health",
    "/metrics",
    "/version",
    "/nothing",
    "/openapi.json",
    "/api/v1/openapi.json",
    "/api/v1/openapi.yaml",
    "/api/v1/ui",
    "/api/v1/ui/",
    "/api/v1/ui/swagger-ui.css",
)
Make = Callable[..., FlaskClient]


def status(client: FlaskClient, host: str, path: str = "/live", **environ: Any) -> int:
    overrides = {"HTTP_HOST": host, **environ}
    return client.get(path, environ_overrides=overrides).status_code


def status_without_host(app: Flask, protocol: str) -> int:
    environ = EnvironBuilder("/live", environ_overrides={"SERVER_PROTOCOL": protocol}).get_environ()
    del environ["HTTP_HOST"]
    statuses: list[str] = []
    with app.response_class.from_app(app.wsgi_app, environ) as response:
        statuses.append(response.status)
    return int(statuses[0].split()[0])


@pytest.mark.parametrize("path", OUTSIDE_THE_API)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "TRACE"])
def test_foreign_host_is_refused_on_every_path(client: FlaskClient, path: str, method: str) -> None:
    headers = {"Host": FOREIGN, "Accept": "text/html"}

    response = client.open(path, method=method, headers=headers)

    assert response.status_code == 421
    if method != "HEAD":
        assert v1_calls.error_detail(response, 421, "Misdirected Request") == WRONG_HOST


@pytest.mark.parametrize("path", ["/api/v2/version", "/api/v2/nothing", "/api/v2", "/auth/token"])
@pytest.mark.parametrize("method", ["GET", "OPTIONS", "POST"])
def test_foreign_host_is_refused_in_the_shape_of_v2(
    client: FlaskClient, path: str, method: str
) -> None:
    response = client.open(path, method=method, headers={"Host": FOREIGN})

    assert (response.status_code, response.get_json()) == (421, {"detail": WRONG_HOST})


@pytest.mark.parametrize("calls", [v1_calls, v2_calls], ids=["v1", "v2"])
def test_foreign_host_reads_and_changes_nothing(client: FlaskClient, calls: Any) -> None:
    calls.create(client, "old", "stored")
    foreign = {"Host": f"{FOREIGN}:8080"}

    answers = [
        client.get(calls.entry("old"), headers=foreign),
        client.post(calls.entries(), json=ENTRY, headers=foreign),
        client.patch(calls.entry("old"), json={"value": "changed"}, headers=foreign),
        client.delete(calls.entry("old"), headers=foreign),
    ]

    assert [each.status_code for each in answers] == [421] * 4
    assert calls.stored_values(client) == {"old": "stored"}


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:1", "localhost.", "a.localhost:8080", "127.0.0.1:8080", "[::1]:8080"],
)
def test_loopback_names_are_accepted(client: FlaskClient, host: str) -> None:
    assert status(client, host) == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "localhost.attacker.example",
        "attacker.example:80@localhost",
        "localhost, attacker.example",
        "attacker.example#localhost",
        "0.0.0.0:8080",
        "10.0.0.1",
        "[::]:8080",
        "127.0.0.1.nip.io",
        "localhost\xe9",
        "a" * 8000,
    ],
)
def test_other_hosts_are_refused(client: FlaskClient, host: str) -> None:
    assert status(client, host) == 421


def test_only_http_1_0_needs_no_host(make_client: Make) -> None:
    app = make_client().application

    assert status_without_host(app, "HTTP/1.0") == 200
    assert status_without_host(app, "HTTP/1.1") == 421
    assert status_without_host(app, "") == 421


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        ("http://localhost:8080/live", 200),
        ("HTTP://attacker.example/live", 421),
        ("http://attacker.example@localhost/live", 421),
        ("http://localhost@attacker.example/live", 421),
        ("attacker.example:80", 421),
        ("*", 200),
        ("//attacker.example/live", 200),
    ],
)
def test_host_of_an_absolute_target_is_checked(
    client: FlaskClient, target: str, expected: int
) -> None:
    assert status(client, "localhost", RAW_URI=target) == expected


def test_forwarded_host_is_not_used(client: FlaskClient) -> None:
    assert status(client, FOREIGN, HTTP_X_FORWARDED_HOST="localhost") == 421
    assert status(client, FOREIGN, HTTP_FORWARDED="host=localhost") == 421
    assert status(client, "localhost", HTTP_X_FORWARDED_HOST=FOREIGN) == 200


def test_host_before_and_after_a_trusted_proxy_is_checked(make_client: Make) -> None:
    """A page that uses DNS rebinding can send X-Forwarded-Host itself."""
    client = make_client(allowed_hosts="xcom.example", trusted_proxies="127.0.0.1")

    assert status(client, "localhost", HTTP_X_FORWARDED_HOST="xcom.example") == 200
    assert status(client, "localhost", HTTP_X_FORWARDED_HOST=FOREIGN) == 421
    assert status(client, FOREIGN, HTTP_X_FORWARDED_HOST="localhost") == 421


def test_bound_name_is_accepted(make_client: Make) -> None:
    assert status(make_client(bind="build-host:8080"), "Build-Host:9") == 200
    assert status(make_client(bind="[::2]:80"), "[::2]") == 200
    assert status(make_client(bind="0.0.0.0:80"), "0.0.0.0") == 421
    assert status(make_client(bind="unix:/run/xcom"), "/run/xcom") == 421


def test_allowed_hosts_are_accepted(make_client: Make) -> None:
    client = make_client(allowed_hosts="xcom.example, *.test.example,10.0.0.0/8")

    accepted = ("xcom.example", "XCOM.example.:80", "a.b.test.example", "10.1.2.3:80", "localhost")
    assert [status(client, each) for each in accepted] == [200] * 5
    refused = ("x.xcom.example", "test.example", "xtest.example", "11.1.2.3")
    assert [status(client, each) for each in refused] == [421] * 4


def test_asterisk_turns_the_check_of_the_host_off(make_client: Make) -> None:
    assert status(make_client(allowed_hosts="*"), FOREIGN) == 200


def test_with_users_the_host_is_checked_only_against_a_list(
    make_client: Make, users_file: Path
) -> None:
    users = {"auth": "users", "users_file": str(users_file)}

    assert status(make_client(**users), FOREIGN) == 200
    client = make_client(**users, allowed_hosts="xcom.example")
    assert status(client, FOREIGN) == 421
    assert [status(client, each) for each in ("xcom.example", "127.0.0.1:8080")] == [200, 200]


def test_with_any_credentials_only_names_that_no_page_has_are_accepted(make_client: Make) -> None:
    """A container has such a name; a page that uses DNS rebinding has the name of a domain."""
    client = make_client(auth="any", emulator=True, emulator_token="t" * 16)

    accepted = ("airflow:8080", "AIRFLOW", "172.17.0.2:8080", "[fd00::2]:8080", "localhost")
    assert [status(client, each) for each in accepted] == [200] * 5
    assert [status(client, each) for each in (FOREIGN, "10.0.0.1.example", "")] == [421] * 3
    listed = make_client(auth="any", allowed_hosts="xcom.example")
    assert [status(listed, each) for each in ("xcom.example", "airflow")] == [200, 200]
    without_token = make_client(auth="any", emulator=True)
    assert status(without_token, "airflow") == 421


@pytest.mark.parametrize("calls", [v1_calls, v2_calls], ids=["v1", "v2"])
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": f"http://{FOREIGN}"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost:3000"},
        {"Origin": "http://127.0.0.1"},
        {"Origin": "http://localhost.attacker.example"},
        {"Origin": "http://localhost@attacker.example"},
        {"Origin": "http://localhost, http://attacker.example"},
        {"Origin": "http://localhost\xe9"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
        {"Sec-Fetch-Site": "?", "Origin": "http://localhost"},
    ],
    ids=str,
)
def test_page_of_another_site_changes_nothing(
    client: FlaskClient, calls: Any, headers: dict[str, str]
) -> None:
    calls.create(client, "old", "stored")

    answers = [
        client.post(calls.entries(), json=ENTRY, headers=headers),
        client.post(calls.entries(), data='{"key": "k", "value": "v"}', headers=headers),
        client.patch(calls.entry("old"), json={"value": "changed"}, headers=headers),
        client.delete(calls.entry("old"), headers=headers),
    ]

    assert [each.status_code for each in answers] == [403] * 4
    assert calls.stored_values(client) == {"old": "stored"}


def test_refusal_of_an_origin_has_the_shape_of_its_version(client: FlaskClient) -> None:
    origin = {"Origin": f"http://{FOREIGN}"}

    v1 = client.post(v1_calls.entries(), json=ENTRY, headers=origin)
    v2 = client.post(v2_calls.entries(), json=ENTRY, headers=origin)

    assert v1_calls.error_detail(v1, 403, "Forbidden") == WRONG_ORIGIN
    assert v2.get_json() == {"detail": WRONG_ORIGIN}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost"},
        {"Origin": "https://LOCALHOST"},
        {"Origin": "http://localhost:80"},
        {"Origin": "http://other.example", "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Mode": "cors"},  # fetch of Node.js sends only this
    ],
    ids=str,
)
def test_own_pages_and_other_clients_can_write(
    client: FlaskClient, headers: dict[str, str]
) -> None:
    response = client.post(v2_calls.entries(), json=ENTRY, headers=headers)

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/dags/~/dagRuns/list"),
        ("POST", "/api/v2/dags/~/dagRuns/list"),
        ("POST", "/auth/token"),
        ("PUT", "/nothing"),
        ("TRACE", "/live"),
        ("FOO", "/live"),
    ],
)
def test_every_method_that_may_write_is_refused(
    client: FlaskClient, method: str, path: str
) -> None:
    response = client.open(path, method=method, headers={"Origin": "null"}, json={})

    assert response.status_code == 403


@pytest.mark.parametrize("path", [v1_calls.entry("k"), v2_calls.entry("k"), "/live", "/version"])
def test_page_of_another_site_can_send_reads_but_gets_no_cors_headers(
    client: FlaskClient, path: str
) -> None:
    v2_calls.create(client, "k", "v")
    headers = {"Origin": f"http://{FOREIGN}", "Sec-Fetch-Site": "cross-site"}

    response = client.get(path, headers=headers)

    assert response.status_code == 200
    assert [name for name in dict(response.headers) if name.startswith("Access-Control")] == []


def test_allowed_origins_can_write(make_client: Make) -> None:
    client = make_client(allowed_origins="https://app.example, http://localhost:3000")

    def write(origin: str, **headers: str) -> int:
        headers |= {"Origin": origin}
        return client.post("/auth/token", json={}, headers=headers).status_code

    for origin in ("https://APP.example", "https://app.example:443", "http://localhost:3000"):
        assert write(origin) == 422, origin
        assert write(origin, **{"Sec-Fetch-Site": "cross-site"}) == 422, origin
    for origin in ("http://app.example", "https://app.example:8443", "null", ""):
        assert write(origin) == 403, origin


def test_asterisk_turns_the_check_of_the_origin_off(make_client: Make) -> None:
    client = make_client(allowed_origins="*")

    assert client.post("/auth/token", json={}, headers={"Origin": "null"}).status_code == 422


def test_origin_is_checked_with_users_too(make_client: Make, users_file: Path) -> None:
    """A browser sends Basic credentials that it has by itself."""
    client = make_client(auth="users", users_file=str(users_file))
    request = {"json": ENTRY, "auth": ("admin", "admin")}

    def write(**headers: str) -> int:
        return client.post(v1_calls.entries(), headers=headers, **request).status_code

    assert write(Origin=f"http://{FOREIGN}") == 403
    assert write(Origin="https://xcom.example", Host="xcom.example") == 200
