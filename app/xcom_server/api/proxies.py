"""Requests through proxies: headers of those that are trusted, and the base path.

Both are WSGI middleware, so that the rest of the server has the client's address, scheme and host
and the path below the base path, under every WSGI server.  It is added only if a setting needs it.
"""

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from flask import Flask, request
from werkzeug.exceptions import NotFound
from werkzeug.middleware.proxy_fix import ProxyFix

from xcom_server.formats.peers import Peers, is_base_path, parse_peer
from xcom_server.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What connects to the server itself, and not through a proxy, needs no base path for these.
PROBES = ("/live", "/ready", "/health", "/metrics")

_OUTSIDE = "xcom_server.outside_base_path"
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")


class OutsideBasePath(NotFound):
    """The path of the URL does not begin with the base path."""


def mount(app: Flask, settings: Settings) -> None:
    """Add what the settings `base_path` and `trusted_proxies` need to an application."""
    if base_path := settings.base_path:
        app.wsgi_app = _BasePath(app.wsgi_app, base_path)  # type: ignore[method-assign]
        app.before_request(lambda: _refuse_outside(base_path))
    if trusted := Peers.parse(settings.trusted_proxies):
        app.wsgi_app = _ForwardedHeaders(app.wsgi_app, trusted)  # type: ignore[method-assign]


def _refuse_outside(base_path: str) -> None:
    if _OUTSIDE in request.environ:
        request.url_rule = None  # the metrics count it as a request without a route
        raise OutsideBasePath(f"The path of the URL does not begin with {base_path}/.")


class _BasePath:
    """Moves the base path from the start of PATH_INFO to the end of SCRIPT_NAME."""

    def __init__(self, app: "WSGIApplication", base_path: str) -> None:
        self._app = app
        self._base_path = base_path

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == self._base_path or path.startswith(f"{self._base_path}/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + self._base_path
            environ["PATH_INFO"] = path.removeprefix(self._base_path)
        elif path not in PROBES:
            environ[_OUTSIDE] = True
        return self._app(environ, start_response)


class _ForwardedHeaders:
    """Takes the client's address, scheme and host and the prefix from headers of trusted proxies.

    X-Forwarded-For is read from its end, where the nearest proxy has appended the address of its
    peer: the client is the first address that is not of a trusted proxy.  Of the other headers, the
    last value counts.  Headers of other peers, and values that are invalid, are ignored.
    """

    def __init__(self, app: "WSGIApplication", trusted: Peers) -> None:
        self._app = app
        self._trusted = trusted
        self._fix = ProxyFix(app, x_for=0, x_proto=1, x_host=1, x_prefix=1)

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> Iterable[bytes]:
        peer = environ.get("REMOTE_ADDR", "")
        if peer not in self._trusted:
            return self._app(environ, start_response)
        environ["REMOTE_ADDR"] = self._client(peer, environ.get("HTTP_X_FORWARDED_FOR", ""))
        _keep_valid(environ, "HTTP_X_FORWARDED_PROTO", _scheme)
        _keep_valid(environ, "HTTP_X_FORWARDED_HOST", _host)
        _keep_valid(environ, "HTTP_X_FORWARDED_PREFIX", _prefix)
        return self._fix(environ, start_response)

    def _client(self, peer: str, forwarded_for: str) -> str:
        client = peer
        for hop in reversed(forwarded_for.split(",")):
            hop = hop.strip()
            address = parse_peer(hop)
            if hop not in self._trusted:
                return str(address) if address else client
            client = str(address) if address else client
        return client


def _keep_valid(environ: "WSGIEnvironment", name: str, read: Callable[[str], str]) -> None:
    """Replace a header by its last value as `read` returns it; remove it if that is empty."""
    if value := read(environ.pop(name, "").rpartition(",")[2].strip()):
        environ[name] = value


def _scheme(text: str) -> str:
    return text.lower() if text.lower() in ("http", "https") else ""


def _host(text: str) -> str:
    return text if _HOST.fullmatch(text) else ""


def _prefix(text: str) -> str:
    path = text.rstrip("/")
    return path if is_base_path(path) else ""
