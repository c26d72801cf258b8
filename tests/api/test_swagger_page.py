"""The Swagger UI pages load only files of this server, under any prefix."""

import re
from importlib.resources import files
from urllib.parse import urljoin

import pytest
from flask.testing import FlaskClient
from xcom_server.api import swagger_page

PAGES = ("/api/v1/ui/", "/api/v2/ui/")


def policy(client: FlaskClient, path: str) -> dict[str, list[str]]:
    """Return the directives of a page's Content-Security-Policy -> their sources."""
    with client.get(path) as response:
        header = response.headers["Content-Security-Policy"]
    return {name: sources for name, *sources in map(str.split, header.split(";"))}


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/ui/index.html"])
def test_page_and_its_files_are_served(client: FlaskClient, path: str) -> None:
    page = client.get(path)
    links = re.findall(r'(?:src|href)="([^"]+)"', page.text)

    assert (page.status_code, page.content_type) == (200, "text/html; charset=utf-8")
    assert len(links) == 6
    for link in links:
        assert link.startswith("./")
        with client.get(urljoin(path, link)) as file:
            assert (file.status_code, file.headers["X-Content-Type-Options"]) == (200, "nosniff")


@pytest.mark.parametrize(
    ("path", "title"), [(PAGES[0], "Airflow API (Stable)"), (PAGES[1], "Airflow API")]
)
def test_page_has_the_title_of_its_document(client: FlaskClient, path: str, title: str) -> None:
    assert f"<title>{title}</title>" in client.get(path).text


def test_start_script_shows_the_document_next_to_the_page(client: FlaskClient) -> None:
    with client.get("/api/v2/ui/start.js") as script:
        assert script.content_type == "text/javascript; charset=utf-8"
        assert b'url: "../openapi.json",' in script.data


@pytest.mark.parametrize("path", PAGES)
def test_policy_allows_only_files_of_this_server(client: FlaskClient, path: str) -> None:
    allowed = policy(client, path)

    assert allowed["default-src"] == ["'none'"]
    assert allowed["script-src"] == allowed["connect-src"] == ["'self'"]
    assert allowed["style-src"][0] == "'self'"
    assert allowed["frame-ancestors"] == allowed["form-action"] == allowed["base-uri"] == ["'none'"]
    assert not any("unsafe" in source for sources in allowed.values() for source in sources)


@pytest.mark.parametrize("path", [*PAGES, "/api/v1/ui/oauth2-redirect.html"])
def test_page_has_no_inline_script_or_style(client: FlaskClient, path: str) -> None:
    with client.get(path) as page:
        html = page.get_data(as_text=True)

    assert re.findall(r"<script[^>]*>\s*[^<\s]|<style|\sstyle=|\son\w+=", html) == []


def test_style_that_swagger_ui_inserts_is_the_one_that_the_policy_allows() -> None:
    """If a release changes it, take the new text: else the logo has wrong colors."""
    script = files("flask_swagger_ui") / "dist" / "swagger-ui-standalone-preset.js"
    inserted = re.findall(r'"([^"]*logo_small_svg__cls-\d\{[^"]*)"', script.read_text("utf-8"))

    assert inserted == [swagger_page._LOGO_STYLE]


@pytest.mark.parametrize("path", ["/api/v1/ui/nothing.js", "/api/v1/ui/..%2fflask_swagger_ui.py"])
def test_other_files_are_a_404(client: FlaskClient, path: str) -> None:
    assert client.get(path).status_code == 404
