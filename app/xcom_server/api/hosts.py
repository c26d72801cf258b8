"""Refuse requests that a page of another site causes a browser to send.

A browser sends the name in the URL as Host. In an attack by DNS rebinding, this is a name of the
attacker whose address was changed to that of this server. Origin and Sec-Fetch-Site name the site
of the page that sends the request.
"""

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from connexion.exceptions import ProblemException
from flask import Flask, request

from xcom_server.formats import hosts
from xcom_server.settings import Settings

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

Check = Callable[["WSGIEnvironment"], None]
_READING = ("GET", "HEAD", "OPTIONS")
_NOT_FOREIGN = ("same-origin", "none")  # values of Sec-Fetch-Site; none: the user, not a page
_CACHED_HOSTS = 128

_WRONG_HOST = (
    "The Host header is missing or is not a name of this server. XCOM_ALLOWED_HOSTS adds names."
)
_WRONG_ORIGIN = (
    "The request was sent by a page of another site, and such requests may only read."
    " XCOM_ALLOWED_ORIGINS adds sites."
)


def mount(app: Flask, settings: Settings) -> None:
    """Check Host and Origin of every request to an application before anything else is done.

    The Host is checked if the setting `auth` is `none` or `any`, if the control plane needs no
    token, or if `allowed_hosts` is not empty.
    """
    checks: list[Check] = []
    names, origins = hosts.items(settings.allowed_hosts), hosts.items(settings.allowed_origins)
    is_open = settings.auth == "none" or (settings.emulator and not settings.emulator_token)
    is_local = settings.auth == "any" and not is_open
    if (is_open or is_local or names) and hosts.ANY not in names:
        own = hosts.Names({*names, *_bound_names(settings.bind)})
        checks.append(_host_check(own, is_local=is_local))
    if hosts.ANY not in origins:
        checks.append(_origin_check(frozenset(map(hosts.parse_origin, origins))))

    @app.before_request
    def check_all() -> None:
        environ = request.environ
        for check in checks:
            check(environ)


def _bound_names(bind: str) -> set[str]:
    """Return the name in the setting `bind`; a path and a file descriptor have none."""
    return {hosts.name_of(bind)} - {"", "0.0.0.0", "::"}


def _host_check(names: hosts.Names, *, is_local: bool) -> Check:
    """Return a check that raises a problem with status 421 for a name of another server.

    If `is_local`, addresses and names without a dot, such as those of containers, are accepted too:
    no page of the web has such a name.
    """

    @functools.lru_cache(_CACHED_HOSTS)
    def is_own(host: str) -> bool:
        name = hosts.name_of(host)
        is_known = hosts.is_loopback(name) or name in names
        return name != "" and (is_known or (is_local and hosts.is_local(name)))

    def check(environ: "WSGIEnvironment") -> None:
        for host in _hosts(environ):
            if not is_own(host or "") and not (host is None and _is_http_1_0(environ)):
                raise ProblemException(421, "Misdirected Request", _WRONG_HOST)

    return check


def _hosts(environ: "WSGIEnvironment") -> list[str | None]:
    """Return every host that a request names: all of them must be names of this server.

    ProxyFix replaces the Host by X-Forwarded-Host, which a page can send in an attack by DNS
    rebinding. A target such as `http://a.example/live` has a host too.
    """
    found = [environ.get("HTTP_HOST")]
    if proxied := environ.get("werkzeug.proxy_fix.orig"):
        found.append(proxied.get("HTTP_HOST"))
    if not (target := environ.get("RAW_URI", "/")).startswith(("/", "*")):
        found.append(target.partition("://")[2].partition("/")[0])
    return found


def _is_http_1_0(environ: "WSGIEnvironment") -> bool:
    """Return whether a request needs no Host; browsers do not send this version."""
    return environ.get("SERVER_PROTOCOL") == "HTTP/1.0"


def _origin_check(allowed: frozenset[hosts.Origin | None]) -> Check:
    """Return a check that raises a problem with status 403 for a write of another site's page.

    Only browsers send the headers that it reads. Sec-Fetch-Site is right behind a proxy that
    replaces the Host too, but browsers send it only with TLS or to loopback.
    """

    def check(environ: "WSGIEnvironment") -> None:
        site, origin = environ.get("HTTP_SEC_FETCH_SITE"), environ.get("HTTP_ORIGIN")
        if (site is None and origin is None) or site in _NOT_FOREIGN:
            return
        found = hosts.parse_origin(origin or "")
        is_allowed = found is not None and found in allowed
        is_own = site is None and hosts.has_host(origin or "", environ.get("HTTP_HOST", ""))
        if not (is_allowed or is_own or environ["REQUEST_METHOD"] in _READING):
            raise ProblemException(403, "Forbidden", _WRONG_ORIGIN)

    return check
