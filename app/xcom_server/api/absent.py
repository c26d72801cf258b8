"""What an Airflow without one of the two versions of the API responds to requests for it.

Airflow 3 has routes for what it has removed. Airflow 2 has no routes for what came later, and its
web interface responds with a page in HTML to every path outside `/api/v1`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Flask, Response, request
from markupsafe import Markup
from werkzeug.exceptions import MethodNotAllowed, NotFound

from xcom_server.api import json_io
from xcom_server.api.proxies import OutsideBasePath
from xcom_server.api.v1 import errors as v1_errors

_V1_REMOVED = (
    "/api/v1 has been removed in Airflow 3, please use its upgraded version /api/v2 instead."
)
_HEALTH_MOVED = "Moved in Airflow 3. Please change config to check `/api/v2/monitor/health`"

_PAGE = Markup("""\
<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Airflow {code}</title></head>
<body><h1>Airflow {code}</h1><p>{reason}</p></body>
</html>
""")


def render_page(error: Exception) -> Response:
    """Return the response for an exception in v1; outside `/api/v1`, a 404 or 405 is a page."""
    is_outside = not f"{request.path}/".startswith("/api/v1/")
    match error:
        case OutsideBasePath():
            return v1_errors.render(error)
        case NotFound() | MethodNotAllowed() if is_outside:
            page = _PAGE.format(code=error.code, reason=error.name)
            headers = {name: text for name, text in error.get_headers() if name == "Allow"}
            return Response(page, error.code, headers, mimetype="text/html")
    return v1_errors.render(error)


@dataclass(frozen=True, kw_only=True)
class Paths:
    """How the responses depend on the path, beside the operations of a version.

    `v2` has the prefixes of the paths with v2's errors and methods, each with a slash at its end.
    `removed` maps the rules of routes that return a 404 to its text. `render` renders the errors of
    all other paths.
    """

    v2: tuple[str, ...]
    removed: dict[str, str]
    render: Callable[[Exception], Response]


PATHS = {
    ("v1", "v2"): Paths(v2=("/api/v2/", "/auth/"), removed={}, render=v1_errors.render),
    ("v1",): Paths(v2=(), removed={}, render=render_page),
    ("v2",): Paths(
        v2=("/api/", "/auth/", "/health/"),
        removed={
            "/api/v1": "API route not found",
            "/api/v1/": _V1_REMOVED,
            "/api/v1/<key:path>": _V1_REMOVED,
            "/health": _HEALTH_MOVED,
        },
        render=v1_errors.render,
    ),
}
"""The paths by the versions that the server has."""


def mount(app: Flask, paths: Paths) -> None:
    """Add the routes for what was removed; other methods than GET are a 405, as in Airflow."""

    def removed(path: str = "") -> Response:
        return json_io.compact_json({"error": paths.removed[str(request.url_rule)]}, 404)

    for rule in paths.removed:
        app.add_url_rule(rule, "removed", removed)
