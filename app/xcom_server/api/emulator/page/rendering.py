"""Renders the templates of the page.

Jinja2 escapes HTML in every value, and `finalize` the characters that are invisible or change the
layout, so a template that forgets a filter is safe too.
"""

import functools
from pathlib import Path
from typing import Any
from urllib.parse import quote

from flask import Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from xcom_server import __version__
from xcom_server.api.browser_headers import protect
from xcom_server.api.emulator.page.text import marked, path, visible
from xcom_server.emulator.records import cut

DOCUMENTATION = "https://github.com/xcom-server/xcom-server/blob/main/docs"
ASSETS = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}

FOLDER = Path(__file__).parent
_SOURCES = ("script-src 'self'", "style-src 'self'", "img-src 'self'", "connect-src 'self'")


def page(template: str, status: int = 200, **values: Any) -> Response:
    """Return a template as a page of this site, which can submit forms to it.

    `base` is a relative link to /_emulator/, so that links work behind any prefix.
    """
    common = {"base": relative_base(), "version": __version__, "documentation": DOCUMENTATION}
    html = environment().get_template(template).render(common | values)
    body = html.encode(errors="backslashreplace")  # lone surrogates that no filter has escaped
    response = Response(body, status, content_type="text/html; charset=utf-8")
    return protect(response, *_SOURCES, submits_forms=True)


def asset(name: str) -> Response:
    """Return one of ASSETS."""
    return protect(Response(_read(name), mimetype=ASSETS[name]))


@functools.cache
def _read(name: str) -> bytes:
    return (FOLDER / "assets" / name).read_bytes()


def relative_base() -> str:
    """Return the link from the current page to /_emulator/."""
    return "../" * (request.path.count("/") - 2)


@functools.cache
def environment() -> Environment:
    """Return the environment of the templates."""
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters |= {"marked": marked, "path": path, "cut": cut, "time_of_day": _time_of_day}
    made.filters["urlencode"] = functools.partial(quote, safe="", errors="surrogatepass")
    return made


def _finalize(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _time_of_day(moment: str) -> str:
    """Return the time of day, to milliseconds, of a time in RFC 3339."""
    return moment[11:23]
