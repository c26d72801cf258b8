"""The base path, and the headers of proxies, in an application without gunicorn."""

import json
import logging
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from flask import request
from flask.testing import FlaskClient
from xcom_server.api.openapi import read

from tests.support.documents import parse

MakeClient = Callable[..., FlaskClient]
PROXY = "10.0.0.7"
ENTRIES = "dags/etl/dagRuns/r/taskInstances/t/xcomEntries"
OUTSIDE = "The path of the URL does not begin with /airflow/."
BROWSER = {"Accept": "text/html"}


def get(client: FlaskClient, path: str, peer: str = PROXY, **headers: str) -> Any:
    """Return the response to a GET that a peer sends with headers such as X_Forwarded_For."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.get(path, headers=names, environ_overrides={"REMOTE_ADDR": peer})


def seen(client: FlaskClient, peer: str = PROXY, **headers: str) -> tuple[str | None, str]:
    """Return the client's address and the base URL that the application has for a request."""
    found: list[tuple[str | None, str]] = []
    client.application.before_request_funcs[None].append(
        lambda: found.append((request.remote_addr, request.url_root))
    )
    get(client, "/live", peer, **headers)
    return found[0]


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/metrics"])
def test_probes_need_no_base_path(make_client: MakeClient, path: str) -> None:
    client = make_client(base_path="/airflow")

    assert client.get(path).status_code == 200
    assert client.get(f"/airflow{path}").status_code == 200
    assert client.get(f"{path}/").status_code == 404


@pytest.mark.parametrize("path", ["/airflow/api", "/airflow/auth", "/x"])
@pytest.mark.parametrize("up", ["/../metrics", "/..%2Fmetrics", "/%2e%2e/metrics", "//metrics"])
def test_metrics_cannot_be_read_through_paths_of_the_api(
    make_client: MakeClient, path: str, up: str
) -> None:
    environ = {"REQUEST_URI": f"{path}{up}", "PATH_INFO": unquote(f"{path}{up}")}

    response = make_client(base_path="/airflow").get("/", environ_overrides=environ)

    assert response.status_code == 404


@pytest.mark.parametrize("path", ["/", "/version", "/airflowx/live", "/openapi.json", "/x"])
def test_path_outside_the_base_path_is_a_404_of_v1(make_client: MakeClient, path: str) -> None:
    response = make_client(base_path="/airflow").get(path, headers=BROWSER)

    assert response.content_type == "application/problem+json"
    assert (response.status_code, response.get_json()) == (
        404,
        {"detail": OUTSIDE, "status": 404, "title": "Not Found", "type": "about:blank"},
    )


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
@pytest.mark.parametrize("path", [f"/api/v2/{ENTRIES}", "/api/v2/x", "/auth/token"])
def test_path_outside_the_base_path_is_a_404_of_v2(
    make_client: MakeClient, method: str, path: str
) -> None:
    response = make_client(base_path="/airflow").open(path, method=method)

    assert (response.status_code, response.get_json()) == (404, {"detail": OUTSIDE})


def test_nothing_is_stored_outside_the_base_path(make_client: MakeClient) -> None:
    client = make_client(base_path="/airflow")
    entry = {"key": "k", "value": "v"}

    assert client.post(f"/api/v1/{ENTRIES}", json=entry).status_code == 404
    assert client.get(f"/airflow/api/v1/{ENTRIES}/k").status_code == 404
    assert client.post(f"/airflow/api/v1/{ENTRIES}", json=entry).status_code == 200
    assert client.get(f"/airflow/api/v2/{ENTRIES}/k").get_json()["value"] == "v"


def test_metrics_count_a_request_outside_the_base_path_as_unrouted(make_client: MakeClient) -> None:
    client = make_client(base_path="/airflow")
    line = 'xcom_requests_total{operation="unrouted",status="404"}'
    before = client.get("/metrics").text.partition(line)[2].partition("\n")[0]
    client.get(f"/api/v1/{ENTRIES}")
    after = client.get("/metrics").text.partition(line)[2].partition("\n")[0]

    assert float(after) == float(before or 0) + 1


@pytest.mark.parametrize(
    ("settings", "path", "headers"),
    [
        ({"base_path": "/airflow"}, "/airflow", {}),
        ({"trusted_proxies": PROXY}, "", {"X_Forwarded_Prefix": "/airflow"}),
        ({"trusted_proxies": PROXY}, "", {"X_Forwarded_Prefix": "/evil, /airflow/"}),
    ],
    ids=["base path", "header", "last value"],
)
def test_documents_and_pages_have_the_prefix(
    make_client: MakeClient, settings: dict[str, str], path: str, headers: dict[str, str]
) -> None:
    client = make_client(**settings)
    for name, base in (("v1", "/airflow/api/v1"), ("v2", "/airflow")):
        document = get(client, f"{path}/api/{name}/openapi.json", **headers).get_json()
        in_yaml = parse(get(client, f"{path}/api/{name}/openapi.yaml", **headers).data)
        page = get(client, f"{path}/api/{name}/ui/", **headers).text

        assert [each["url"] for each in document["servers"]] == [base]
        assert document == in_yaml
        assert document["paths"] == read(name)[1]["paths"]
        assert re.findall(r'(?:src|href)="(?!\./)', page) == []  # relative to the page
    root = get(client, f"{path}/openapi.json", **headers).get_json()
    assert root == document
    flows = document["components"]["securitySchemes"]["OAuth2PasswordBearer"]["flows"]
    assert flows["password"]["tokenUrl"] == "/airflow/auth/token"
    start = get(client, f"{path}/", Accept="text/html", **headers).text
    assert 'href="/airflow/api/v2/ui/"' in start


@pytest.mark.parametrize("name", ["v1", "v2"])
def test_documents_without_a_prefix_are_unchanged(make_client: MakeClient, name: str) -> None:
    source, document = read(name)
    expected = json.dumps(document, indent=2, sort_keys=True) + "\n"
    client = make_client(trusted_proxies=PROXY)

    for peer, prefix in ((PROXY, ""), (PROXY, "/"), (PROXY, "//evil.example"), ("::1", "/x")):
        json_ = get(client, f"/api/{name}/openapi.json", peer, X_Forwarded_Prefix=prefix)
        yaml_ = get(client, f"/api/{name}/openapi.yaml", peer, X_Forwarded_Prefix=prefix)
        assert (json_.text, yaml_.data) == (expected, source)


def test_redirect_stays_below_the_prefix(make_client: MakeClient) -> None:
    client = make_client(base_path="/airflow", trusted_proxies=PROXY)

    response = get(client, "/airflow/api/v1/ui", X_Forwarded_Prefix="/tools")

    assert response.status_code == 308
    target = urljoin("/tools/airflow/api/v1/ui", response.headers["Location"])
    assert urlsplit(target).path == "/tools/airflow/api/v1/ui/"


@pytest.mark.parametrize(
    ("forwarded_for", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1, 10.1.2.3, unix:", "192.0.2.1"),
        ("6.6.6.6, 192.0.2.1:4711, 10.1.2.3", "192.0.2.1"),
        ("[2001:db8::1]:4711,10.1.2.3", "2001:db8::1"),
        ("6.6.6.6, unknown, 10.1.2.3", "10.1.2.3"),
        ("6.6.6.6, ", PROXY),
        ("10.1.2.4,10.1.2.3", "10.1.2.4"),
        ("", PROXY),
    ],
)
def test_client_is_the_last_address_that_is_no_trusted_proxy(
    make_client: MakeClient, forwarded_for: str, address: str
) -> None:
    client = make_client(
        trusted_proxies="10.0.0.0/8" + (",unix" if "unix" in forwarded_for else "")
    )

    assert seen(client, X_Forwarded_For=forwarded_for)[0] == address


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({}, "http://localhost/"),
        ({"X_Forwarded_Proto": "https"}, "https://localhost/"),
        ({"X_Forwarded_Proto": "http, HTTPS"}, "https://localhost/"),
        ({"X_Forwarded_Proto": "javascript"}, "http://localhost/"),
        ({"X_Forwarded_Host": "a.example:81"}, "http://a.example:81/"),
        ({"X_Forwarded_Host": "evil.example, a.example"}, "http://a.example/"),
        ({"X_Forwarded_Host": "[::1]:81"}, "http://[::1]:81/"),
        ({"X_Forwarded_Host": "a.example/<script>"}, "http://localhost/"),
        ({"X_Forwarded_Host": "a@b"}, "http://localhost/"),
        ({"X_Forwarded_Prefix": "/a/b"}, "http://localhost/a/b/"),
        ({"X_Forwarded_Prefix": "/a, //evil.example"}, "http://localhost/"),
        ({"X_Forwarded_Prefix": "/a\tb"}, "http://localhost/"),
        ({"X_Forwarded_Prefix": "https://evil.example"}, "http://localhost/"),
        ({"X_Forwarded_Port": "81"}, "http://localhost/"),
    ],
)
def test_scheme_host_and_prefix_come_from_trusted_proxies(
    make_client: MakeClient, headers: dict[str, str], url: str
) -> None:
    client = make_client(trusted_proxies=f"{PROXY},unix", allowed_hosts="*")

    assert seen(client, **headers)[1] == url
    assert seen(client, "", **headers)[1] == url
    assert seen(client, "10.0.0.8", **headers)[1] == "http://localhost/"


SPOOFED = {
    "X_Forwarded_For": "6.6.6.6",
    "X_Forwarded_Proto": "https",
    "X_Forwarded_Host": "evil.example",
    "X_Forwarded_Prefix": "/evil",
}


@pytest.mark.parametrize("trusted", ["", PROXY, "unix"])
@pytest.mark.parametrize("peer", ["127.0.0.1", "::1", "192.0.2.1"])
def test_headers_of_other_peers_are_ignored(
    make_client: MakeClient, trusted: str, peer: str
) -> None:
    assert seen(make_client(trusted_proxies=trusted), peer, **SPOOFED) == (
        peer,
        "http://localhost/",
    )


def test_log_has_the_address_of_the_client(
    make_client: MakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    records: list[logging.LogRecord] = []
    log = logging.getLogger("xcom_server.requests")
    monkeypatch.setattr(log, "handle", records.append)
    client = make_client(trusted_proxies=PROXY, log_requests=True)

    get(client, "/live", X_Forwarded_For="6.6.6.6, 192.0.2.1")

    assert [record.__dict__["client"] for record in records] == ["192.0.2.1"]


def test_wrong_passwords_are_counted_for_the_address_of_the_client(
    make_client: MakeClient, users_file: Any
) -> None:
    client = make_client(auth="users", users_file=str(users_file), trusted_proxies=PROXY)

    def status(address: str, password: str) -> int:
        response = client.get(
            "/api/v1/dags",
            auth=("viewer", password),
            headers={"X-Forwarded-For": f"192.0.2.77, {address}"},
            environ_overrides={"REMOTE_ADDR": PROXY},
        )
        return response.status_code

    guesses = [status("6.6.6.6", f"wrong{number}") for number in range(15)]

    assert 429 in guesses
    assert status("192.0.2.1", "wrong") == 401
