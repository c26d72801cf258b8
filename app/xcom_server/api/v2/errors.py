"""Errors as v2 answers them: `{"detail": …}`, with the texts of Airflow 3.3.2."""

from typing import Any

from connexion.exceptions import ProblemException
from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from xcom_server.api import conditional, json_io
from xcom_server.api.v2.validation import InvalidRequest
from xcom_server.errors import (
    AccessError,
    AlreadyExists,
    DagNotFound,
    EntryNotFound,
    Forbidden,
    InvalidToken,
    NameTooLong,
    PreconditionFailed,
    RunNotFound,
    TaskInstanceNotFound,
    TaskNotFound,
    TokenExpired,
    TooManyAttempts,
    Unavailable,
    XComError,
)


def render(error: Exception) -> Response:
    """Return the response for an exception; an unexpected one reveals nothing."""
    return conditional.with_error_headers(_response_for(error), error)


def _response_for(error: Exception) -> Response:
    match error:
        case InvalidRequest():
            return _detail(422, error.errors)
        case XComError():
            return _detail(*_store_error(error))
        case TooManyAttempts():
            return _detail(429, str(error))
        case AccessError():
            return _detail(*_access_error(error))
        case NotFound():
            return json_io.compact_json({"error": "API route not found"}, 404)
        case HTTPException():
            return _http_error(error)
        case ProblemException():
            return _detail(error.status, error.detail)
    return _detail(500, "Internal Server Error")


def _detail(status: int, detail: Any) -> Response:
    return json_io.compact_json({"detail": detail}, status)


def _store_error(error: XComError) -> tuple[int, Any]:
    match error:
        case EntryNotFound() if request.method == "GET":
            return 404, f"XCom entry with key: `{error.key}` not found"
        case EntryNotFound():
            return 404, (f"The XCom with key: `{error.key}` with mentioned task instance doesn't"
                         " exist.")
        case DagNotFound():
            return 404, f"The Dag with ID: `{error.dag_id}` was not found"
        case TaskNotFound():
            return 404, f"Task with ID: `{error.task_id}` not found in dag: `{error.dag_id}`"
        case RunNotFound():
            return 404, f"Dag Run with ID: `{error.run_id}` not found for dag: `{error.dag_id}`"
        case TaskInstanceNotFound():
            return 404, (f"Task instance with ID: `{error.task_id}` and map_index:"
                         f" `{error.map_index}` not found in dag run: `{error.run_id}`")
        case AlreadyExists():
            return 409, (f"The XCom with key: `{error.key}` with mentioned task instance already"
                         " exists.")
        case NameTooLong():
            return 400, str(error)
        case PreconditionFailed():
            return 412, conditional.PRECONDITION_DETAIL
        case Unavailable():
            return 503, conditional.unavailable_detail(error)
    raise error


def _access_error(error: AccessError) -> tuple[int, str]:
    match error:
        case TokenExpired():
            return 401, "Token Expired"
        case InvalidToken():
            return 403, "Invalid JWT token"
        case Forbidden():
            return 403, "Forbidden"
    return 401, "Not authenticated"


def _http_error(error: HTTPException) -> Response:
    response = _detail(error.code or 500, error.name)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = _allow_header(error)
    return response


def _allow_header(error: MethodNotAllowed) -> str:
    """Return only the first route's method, as Airflow does, except for OPTIONS."""
    if request.path.startswith("/auth/"):
        return "POST"
    return ", ".join(error.valid_methods or []) if request.method == "OPTIONS" else "GET"
