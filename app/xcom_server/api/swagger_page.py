"""The Swagger UI page of each version.

The page has no script of its own in the HTML, so its Content-Security-Policy allows only files of
this server. Its links are relative, so that they work under any prefix of a proxy.
"""

import functools
from importlib.resources import files

import flask
from flask import Flask, Response, request
from markupsafe import Markup

from xcom_server.api.browser_headers import hash_of, protect

_PAGE = Markup("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="./index.css">
<link rel="stylesheet" href="./swagger-ui.css">
<link rel="icon" type="image/png" href="./favicon-32x32.png" sizes="32x32">
</head>
<body>
<div id="swagger-ui"></div>
<script src="./swagger-ui-bundle.js"></script>
<script src="./swagger-ui-standalone-preset.js"></script>
<script src="./start.js"></script>
</body>
</html>
""")
_START = """\
window.ui = SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "../openapi.json",
  deepLinking: true,
  layout: "StandaloneLayout",
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
  plugins: [SwaggerUIBundle.plugins.DownloadUrl],
  validatorUrl: null, // by default, the page sends its URL to another host
});
"""
_FILES = str(files("flask_swagger_ui") / "dist")
_LOGO_STYLE = ".logo_small_svg__cls-2{fill:#fff}.logo_small_svg__cls-3{fill:#85ea2d}"
_SOURCES = (
    "script-src 'self'",
    f"style-src 'self' {hash_of(_LOGO_STYLE)}",  # a style element that Swagger UI inserts
    "img-src 'self' data:",  # the icons in Swagger UI's style sheet
    "connect-src 'self'",
)


def mount(app: Flask, name: str, path: str, title: str) -> None:
    """Serve the page of the version with this name at a path, and its files below it."""
    show = functools.partial(_show, title)
    app.add_url_rule(path, f"{name}_ui_redirect", _redirect)
    app.add_url_rule(f"{path}/", f"{name}_ui", show)
    app.add_url_rule(f"{path}/<path:path>", f"{name}_ui_file", show)


def _redirect() -> Response:
    """Redirect to the path with a slash; Werkzeug's redirect has the Host of the request."""
    query = request.query_string.decode("latin-1")
    location = "ui/" + (f"?{query}" if query else "")
    return Response(status=308, headers={"Location": location})


def _show(title: str, path: str = "index.html") -> Response:
    if path == "start.js":
        return Response(_START, mimetype="text/javascript")
    if path == "index.html":
        response = Response(_PAGE.format(title=title), mimetype="text/html")
    else:
        response = flask.send_from_directory(_FILES, path)
    return protect(response, *_SOURCES)
