"""Error responses of v2: `{"detail": …}`, with the texts of Airflow 3.3.2."""

from typing import Any

from connexion.exceptions import ProblemException
from flask import Response, request
from werkzeug.exceptions import HTTPException, MethodNotAllowed, NotFound

from xcom_server import errors
from xcom_server.api import conditional, json_io, proxies
from xcom_server.api.v2.validation import InvalidRequest
from xcom_server.observability import request_state


def render(error: Exception) -> Response:
    """Return the response for an exception; an unexpected one becomes a 500 without details."""
    return conditional.with_error_headers(_response_for(error), error)


def _response_for(error: Exception) -> Response:
    match error:
        case InvalidRequest():
            return _detail(422, error.errors)
        case errors.XComError():
            return _detail(*_store_error(error))
        case errors.TooManyAttempts():
            return _detail(429, str(error))
        case errors.TokenExpired():
            return _detail(401, "Token Expired")
        case errors.InvalidToken():
            return _detail(403, "Invalid JWT token")
        case errors.Forbidden():
            return _detail(403, "Forbidden")
        case errors.AccessError():
            return _detail(401, "Not authenticated")
        case proxies.OutsideBasePath():
            return _detail(404, error.description)
        case NotFound() if request.method != "GET":
            return _no_route()
        case NotFound():
            return json_io.compact_json({"error": "API route not found"}, 404)
        case HTTPException():
            return _http_error(error)
        case ProblemException():
            return _detail(error.status, error.detail)
    return _detail(500, "Internal Server Error")


def _detail(status: int, detail: Any) -> Response:
    return json_io.compact_json({"detail": detail}, status)


def _store_error(error: errors.XComError) -> tuple[int, Any]:
    match error:
        case errors.EntryNotFound() if request.method == "GET":
            return 404, f"XCom entry with key: `{error.key}` not found"
        case errors.EntryNotFound():
            return 404, (
                f"The XCom with key: `{error.key}` with mentioned task instance doesn't exist."
            )
        case errors.DagNotFound():
            return 404, f"The Dag with ID: `{error.dag_id}` was not found"
        case errors.TaskNotFound():
            return 404, f"Task with ID: `{error.task_id}` not found in dag: `{error.dag_id}`"
        case errors.RunNotFound():
            return 404, f"Dag Run with ID: `{error.run_id}` not found for dag: `{error.dag_id}`"
        case errors.TaskInstanceNotFound():
            return 404, (
                f"Task instance with ID: `{error.task_id}` and map_index:"
                f" `{error.map_index}` not found in dag run: `{error.run_id}`"
            )
        case errors.RunExists():
            return 409, _database_error("Unique constraint violation")
        case errors.RunIsRunning():
            return 409, (
                f"The DagRun with dag_id: `{error.dag_id}` and run_id: `{error.run_id}`"
                " cannot be deleted in running state"
            )
        case errors.TaskIsRunning():
            return 409, f"Task instances of dag with id: '{error.dag_id}' are still running"
        case errors.AlreadyExists():
            return 409, (
                f"The XCom with key: `{error.key}` with mentioned task instance already exists."
            )
        case errors.FilterTooLong() | errors.NameTooLong():
            return 400, str(error)
        case errors.PreconditionFailed():
            return 412, conditional.PRECONDITION_DETAIL
        case errors.ResponseTooLarge():
            return 507, conditional.too_large_detail(error)
        case errors.Unavailable():
            return 503, conditional.unavailable_detail(error)
    raise error


def _database_error(reason: str) -> dict[str, str]:
    """Return the detail of an error that Airflow makes from one of its database."""
    return {
        "reason": reason,
        "statement": "hidden",
        "orig_error": "hidden",
        "message": "Serious error when handling your request. Check logs for more details - you"
        f" will find it in api server when you look for ID {request_state.current().request_id}",
    }


def _no_route() -> Response:
    """Return the response to a method other than GET for a path without a route.

    In Airflow, only GET has a route for all paths.
    """
    response = _detail(405, "Method Not Allowed")
    response.headers["Allow"] = "GET"
    return response


def _http_error(error: HTTPException) -> Response:
    response = _detail(error.code or 500, error.name)
    if isinstance(error, MethodNotAllowed):
        response.headers["Allow"] = _allow_header(error)
    return response


def _allow_header(error: MethodNotAllowed) -> str:
    """Return only the method of the first route, as Airflow does; for OPTIONS, return them all."""
    if request.path.startswith("/auth/"):
        return "POST"
    return ", ".join(error.valid_methods or []) if request.method == "OPTIONS" else "GET"
