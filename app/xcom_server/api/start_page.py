"""The start page at `/`, for browsers only; other clients get a 404 at `/`."""

from urllib.parse import quote

from flask import Flask, Response, request
from markupsafe import Markup

from xcom_server import __version__
from xcom_server.api.browser_headers import hash_of, protect

DOCUMENTATION = "https://github.com/xcom-server/xcom-server/blob/main/docs/index.md"

_STYLE = Markup("""
:root { color-scheme: light dark; }
body { font: 1rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem; }
h1 { line-height: 1.2; margin: 0; }
h2 { font-size: 1.1rem; margin: 1.8rem 0 .2rem; }
ul { margin: 0; padding-left: 1.3rem; }
""")
_PAGE = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>xcom-server {version}</title>
<style>{style}</style>
</head>
<body>
<main>
<h1>xcom-server</h1>
<p>Version {version}. An emulator of Airflow's REST API for XCom entries, DAG runs, task instances
and DAGs. It has no scheduler and executes nothing.</p>
{apis}<h2>This server</h2>
<ul>
<li><a href="{base}{health}">Health</a></li>
<li><a href="{documentation}">Documentation</a></li>
</ul>
</main>
</body>
</html>
""")
_API = Markup("""\
<h2>API {name}, as in Airflow {airflow_version}</h2>
<ul>
<li><a href="{base}api/{name}/ui/">Try {name} in Swagger UI</a></li>
<li><a href="{base}api/{name}/openapi.json">OpenAPI document of {name}</a></li>
</ul>
""")
_SOURCES = (f"style-src {hash_of(_STYLE)}",)


def mount(app: Flask, airflow_versions: dict[str, str]) -> None:
    """Serve the page, which needs no credentials and shows the Airflow version of each API.

    The page does not have a route, since a route would change the responses to other methods.
    """
    app.before_request(lambda: _page(airflow_versions) if _is_root() and _is_browser() else None)


def _is_root() -> bool:
    return request.environ.get("PATH_INFO", "") in ("", "/")  # request.path merges slashes


def _is_browser() -> bool:
    """Return whether a GET or HEAD request lists `text/html` and prefers it to JSON."""
    accept = request.accept_mimetypes
    listed = any(media_type.lower() == "text/html" for media_type in accept.values())
    preferred = accept.best_match(["application/json", "text/html"]) == "text/html"
    return request.method in ("GET", "HEAD") and listed and preferred


def _page(airflow_versions: dict[str, str]) -> Response:
    base = _base()
    apis = Markup().join(
        _API.format(base=base, name=name, airflow_version=airflow_version)
        for name, airflow_version in airflow_versions.items()
    )
    page = _PAGE.format(
        style=_STYLE,
        version=__version__,
        apis=apis,
        base=base,
        health="health" if "v1" in airflow_versions else "api/v2/monitor/health",
        documentation=DOCUMENTATION,
    )
    response = Response(page, mimetype="text/html", headers={"Vary": "Accept"})
    return protect(response, *_SOURCES)


def _base() -> str:
    """Return what links begin with: the prefix of the server's paths, and a slash.

    Without a known prefix the links are relative, for a proxy that removes one and sends no header.
    """
    prefix = request.script_root
    return "" if request.environ.get("PATH_INFO") and not prefix else f"{quote(prefix)}/"
