"""Headers that limit browsers, and redirects without the Host of the request."""

from urllib.parse import urljoin

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import v1_calls, v2_calls

SHOWN = (
    "/",
    "/openapi.json",
    "/api/v1/openapi.json",
    "/api/v1/openapi.yaml",
    "/api/v1/ui/",
    "/api/v1/ui/index.html",
    "/api/v1/ui/oauth2-redirect.html",
    "/api/v2/openapi.json",
    "/api/v2/openapi.yaml",
    "/api/v2/ui/",
)
HOST = "some-name.localhost"


@pytest.mark.parametrize("path", SHOWN)
def test_pages_and_documents_cannot_be_framed(client: FlaskClient, path: str) -> None:
    with client.get(path, headers={"Accept": "text/html"}) as response:
        headers = response.headers

    assert response.status_code == 200
    policy = headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert policy[-3:] == ["base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize("path", SHOWN[1:5])
def test_head_has_the_same_headers(client: FlaskClient, path: str) -> None:
    head = client.head(path)

    assert (head.status_code, head.data) == (200, b"")
    assert head.headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", v1_calls.entries()),
        ("GET", v1_calls.entry("missing")),
        ("OPTIONS", v1_calls.entries()),
        ("POST", v1_calls.entries()),
        ("GET", v2_calls.entries()),
        ("GET", v2_calls.entry("missing")),
        ("OPTIONS", v2_calls.entries()),
        ("GET", "/nothing"),
        ("GET", "/live"),
        ("GET", "/metrics"),
        ("GET", "/api/v1/ui"),
    ],
)
def test_no_response_can_be_sniffed(client: FlaskClient, method: str, path: str) -> None:
    assert client.open(path, method=method).headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("query", ["", "?a=%0D%0AX-Header:%20b&c=%22%3Cb%3E", "?//evil.example"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_redirect_is_relative(client: FlaskClient, method: str, query: str) -> None:
    response = client.open(f"/api/v1/ui{query}", method=method, headers={"Host": HOST})

    assert (response.status_code, response.data) == (308, b"")
    assert response.headers["Location"] == f"ui/{query}"
    assert HOST not in str(response.headers)


def test_every_path_that_ends_with_a_slash_has_a_relative_redirect(
    client: FlaskClient, shared_application: Flask
) -> None:
    """Werkzeug's own redirect to such a path repeats the Host of the request."""
    paths = {rule.rule for rule in shared_application.url_map.iter_rules() if rule.rule[-1] == "/"}

    assert paths == {"/api/v1/ui/", "/api/v2/ui/"}
    for path in paths:
        response = client.get(path[:-1], headers={"Host": HOST})
        assert response.status_code == 308
        assert urljoin(path[:-1], response.headers["Location"]) == path
        assert HOST not in response.headers["Location"] + response.text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_other_methods_are_not_redirected(client: FlaskClient, method: str) -> None:
    assert client.open("/api/v1/ui", method=method).status_code == 405
