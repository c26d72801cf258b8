"""Who may use the control plane: holders of the token, or without one clients on this machine."""

import hmac

from flask import Flask, request

from xcom_server.api import authorization
from xcom_server.errors import Forbidden, Unauthenticated
from xcom_server.formats.addresses import parse_address

PATH = "/_emulator"


def mount(app: Flask, token: str) -> None:
    """Check every request below /_emulator, also one for an unknown path."""

    @app.before_request
    def check() -> None:
        if is_emulator_path():
            require(token)


def is_emulator_path() -> bool:
    """Return whether the current request is one to the control plane."""
    return f"{request.path}/".startswith(f"{PATH}/")


def require(token: str) -> None:
    """Raise Unauthenticated without the token; if it is empty, Forbidden for another machine."""
    if token:
        if not hmac.compare_digest(_given().encode(), token.encode()):
            raise Unauthenticated
    else:
        address = parse_address(request.remote_addr or "")
        if address is None or not address.is_loopback:
            raise Forbidden


def _given() -> str:
    """Return the Bearer token or the password of the current request, empty for none."""
    credentials = authorization.sent_credentials()
    if credentials is None:
        return ""
    return (credentials.token if credentials.type == "bearer" else credentials.password) or ""
