"""The start page is for browsers; for every other client `/` stays an unknown path."""

import base64
import configparser
import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote, unquote, urljoin, urlsplit

import pytest
from flask.testing import FlaskClient
from xcom_server import __version__
from xcom_server.api import start_page

from tests.support.paths import ROOT

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"
NOT_FOUND = b"""{
  "detail": "The requested URL was not found on the server. If you entered the URL manually \
please check your spelling and try again.",
  "status": 404,
  "title": "Not Found",
  "type": "about:blank"
}
"""


def links(page: str) -> list[str]:
    return re.findall(r'href="([^"]+)"', page)


@pytest.mark.parametrize(
    "accept",
    [
        BROWSER,
        "text/html",
        "TEXT/HTML; q=0.1",
        "text/html, */*",
        "application/json;q=0.5, text/html;q=0.6",
    ],
)
def test_browser_gets_the_page(client: FlaskClient, accept: str) -> None:
    response = client.get("/", headers={"Accept": accept})

    assert (response.status_code, response.content_type) == (200, "text/html; charset=utf-8")
    assert f"<p>Version {__version__}." in response.text
    assert "as in Airflow 2.10.5" in response.text
    assert "as in Airflow 3.3.2" in response.text
    assert "no scheduler and executes nothing" in response.text


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "",
        "*/*",
        "text/*",
        "application/json",
        "application/json, text/plain, */*",
        "application/json, text/html;q=0.9",
        "application/json, text/html",
        "application/problem+json",
        "application/xhtml+xml",
        "text/html;q=0",
        "*/*, text/html;q=0",
        "text/html;q=x",
        "text/htmlx",
        "\xff",
    ],
)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_other_clients_get_404(client: FlaskClient, method: str, accept: str | None) -> None:
    headers = {"X-Request-Id": "1"} | ({} if accept is None else {"Accept": accept})

    response = client.open("/", method=method, headers=headers)

    assert response.status_code == 404
    assert response.data == (NOT_FOUND if method == "GET" else b"")
    assert dict(response.headers) == {
        "Content-Type": "application/problem+json",
        "Content-Length": str(len(NOT_FOUND)),
        "Cache-Control": "no-store",
        "X-Robots-Tag": "noindex, nofollow",
        "X-Request-Id": "1",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "FOO"])
def test_other_methods_of_a_browser_get_404(client: FlaskClient, method: str) -> None:
    response = client.open("/", method=method, headers={"Accept": BROWSER})

    assert (response.status_code, response.data) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/index.html", "/nothing", "/api/v1", "/api/v2/"])
def test_only_root_is_the_start_page(client: FlaskClient, path: str) -> None:
    response = client.get(path, headers={"Accept": BROWSER})

    assert response.status_code == 404
    assert response.is_json


def test_two_slashes_are_not_root(client: FlaskClient) -> None:
    response = client.get("/", headers={"Accept": BROWSER}, environ_overrides={"PATH_INFO": "//"})

    assert (response.status_code, response.data) == (404, NOT_FOUND)


def test_head_has_the_headers_of_get(client: FlaskClient) -> None:
    headers = {"Accept": BROWSER, "X-Request-Id": "1"}
    get, head = client.get("/", headers=headers), client.head("/", headers=headers)

    assert (head.status_code, head.data) == (200, b"")
    assert dict(head.headers) == dict(get.headers)
    assert get.headers["Vary"] == "Accept"


def test_page_needs_no_credentials(
    make_client: Callable[..., FlaskClient], users_file: Path
) -> None:
    client = make_client(auth="users", users_file=str(users_file))

    assert client.get("/", headers={"Accept": BROWSER}).status_code == 200
    assert client.get("/").status_code == 404


@pytest.mark.parametrize(
    ("prefix", "path"),
    [
        ("", "/"),
        ("", ""),
        ("/airflow", "/"),
        ("/airflow", ""),
        ("/a/b c", ""),
        ("/a:b", ""),
        ("/a?b#c%d", ""),
    ],
    ids=repr,
)
def test_links_resolve_under_any_prefix(client: FlaskClient, prefix: str, path: str) -> None:
    page = client.get(
        "/",
        headers={"Accept": BROWSER},
        environ_overrides={"SCRIPT_NAME": prefix, "PATH_INFO": path},
    ).text
    *local, documentation = links(page)

    assert len(local) == 5
    for link in local:
        assert urlsplit(link).path == link
        target = unquote(urljoin(quote(prefix + path), link))
        assert target.startswith(f"{prefix}/"), target
        assert client.get(target.removeprefix(prefix)).status_code == 200, target
    assert documentation == start_page.DOCUMENTATION


def test_documentation_link_is_that_of_the_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")

    assert f"Documentation = {start_page.DOCUMENTATION}" in setup["metadata"]["project_urls"]
    assert (ROOT / start_page.DOCUMENTATION.partition("/blob/main/")[2]).is_file()


def test_policy_allows_only_the_style_of_the_page(client: FlaskClient) -> None:
    response = client.get("/", headers={"Accept": BROWSER})
    style = re.findall(r"<style>(.*?)</style>", response.text, re.DOTALL)
    allowed = base64.b64encode(hashlib.sha256(style[0].encode()).digest()).decode()

    policy = response.headers["Content-Security-Policy"]
    assert f"default-src 'none'; style-src 'sha256-{allowed}';" in policy
    assert re.findall(r"<(?:script|img|link|iframe)|\sstyle=|\son\w+=|url\(", response.text) == []


def test_text_is_escaped(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_page, "__version__", "<b>&1")

    assert "Version &lt;b&gt;&amp;1." in client.get("/", headers={"Accept": BROWSER}).text
