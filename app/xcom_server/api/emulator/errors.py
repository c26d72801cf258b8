"""Error responses of the control plane: problem documents (RFC 9457)."""

from http import HTTPStatus

from connexion.exceptions import ProblemException
from flask import Response
from werkzeug.exceptions import HTTPException

from xcom_server import errors
from xcom_server.api import conditional, json_io
from xcom_server.emulator.faults import InvalidFault
from xcom_server.emulator.shifts import InvalidClock
from xcom_server.seed_file import InvalidSeedFile

PROBLEM_JSON = "application/problem+json"


def render(error: Exception) -> Response:
    """Return the response for an exception; an unexpected one becomes a 500 without details."""
    if isinstance(error, HTTPException):
        response = _problem(error.code or 500, error.description)
        if "Allow" in (headers := dict(error.get_headers())):
            response.headers["Allow"] = headers["Allow"]
        return response
    response = conditional.with_error_headers(_problem(*_own_error(error)), error)
    if response.status_code == 401:
        response.headers["WWW-Authenticate"] = 'Basic realm="xcom-server emulator"'
    return response


def _own_error(error: Exception) -> tuple[int, str | None]:
    match error:
        case ProblemException():
            return error.status, error.detail
        case errors.Unauthenticated():
            return 401, (
                "The token in XCOM_EMULATOR_TOKEN is required, as a Bearer token or as the password"
                " of Basic credentials with any name."
            )
        case errors.Forbidden():
            return 403, (
                "Without XCOM_EMULATOR_TOKEN, only clients on the server's machine have access."
            )
        case errors.Unavailable():
            return 503, conditional.unavailable_detail(error)
        case InvalidClock() | InvalidFault() | InvalidSeedFile():
            return 400, str(error)
        case errors.SnapshotNotFound():
            return 404, str(error)
        case errors.SeedConflict() | errors.SnapshotOutdated() | errors.TooManySnapshots():
            return 409, str(error)
    return 500, "Internal error; see the server log."


def _problem(status: int, detail: str | None) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
    }
    return json_io.indented_json(body, status, PROBLEM_JSON)
