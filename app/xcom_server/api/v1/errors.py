"""Error responses of v1: problem documents (RFC 9457), as in Airflow 2.10.5.

As in Airflow, the `type` of an error of the API is a link to Airflow's manual. It is `about:blank`
for errors of the framework, such as an unknown route or a wrong method or media type, and for the
statuses that this server adds: 412, 429, 503 and 507.
"""

from connexion.exceptions import ProblemException
from flask import Response
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from xcom_server import errors
from xcom_server.api import conditional, json_io
from xcom_server.api.v1 import AIRFLOW_VERSION

PROBLEM_JSON = "application/problem+json"

MAX_DETAIL = 2000  # characters of an error text about the fields of a body
_UNKNOWN = ["Unknown field."]  # as marshmallow writes it

_MANUAL = (
    f"https://airflow.apache.org/docs/apache-airflow/{AIRFLOW_VERSION}"
    "/stable-rest-api-ref.html#section/Errors/"
)
_LINKS = {
    400: "BadRequest",
    401: "Unauthenticated",
    403: "PermissionDenied",
    404: "NotFound",
    409: "AlreadyExists",
    500: "Unknown",
}


def render(error: Exception) -> Response:
    """Return the response for an exception; an unexpected one becomes a 500 without details."""
    if isinstance(error, HTTPException):
        return _http_error(error)
    problem = _as_problem(error)
    link = _MANUAL + _LINKS[problem.status] if problem.status in _LINKS else "about:blank"
    response = _problem_document(problem.status, problem.title, problem.detail, link)
    return conditional.with_error_headers(response, error)


def with_airflow_headers(response: Response) -> Response:
    """Set the headers that Airflow's web server adds to every response, and return the response."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _as_problem(error: Exception) -> ProblemException:
    if isinstance(error, ProblemException):
        return error
    if isinstance(error, ValidationError):
        return ProblemException(400, "Bad Request", _validation_detail(error))
    if isinstance(error, (errors.XComError, errors.AccessError)):
        return ProblemException(*_own_error(error))
    return ProblemException(500, "Internal Server Error", "Internal error; see the server log.")


def _validation_detail(error: ValidationError) -> str:
    """Return marshmallow's messages: known fields in their order, then unknown ones by name."""
    messages = error.normalized_messages()  # type: ignore[no-untyped-call]
    unknown = {name for name, words in messages.items() if words == _UNKNOWN}
    ordered = {name: messages[name] for name in messages if name not in unknown}
    text = str(ordered | {name: messages[name] for name in sorted(unknown)})
    return text if len(text) <= MAX_DETAIL else text[:MAX_DETAIL] + "…"


def _own_error(error: errors.XComError | errors.AccessError) -> tuple[int, str, str | None]:
    match error:
        case errors.EntryNotFound():
            return 404, "XCom entry not found", None
        case errors.DagNotFound():
            return 404, "DAG not found", f"The DAG with dag_id: {error.dag_id} was not found"
        case errors.RunNotFound():
            return (
                404,
                "DAGRun not found",
                (f"DAGRun with DAG ID: '{error.dag_id}' and DagRun ID: '{error.run_id}' not found"),
            )
        case errors.TaskInstanceNotFound():
            return (
                404,
                "Task instance not found",
                (
                    f"Task instance with task_id: '{error.task_id}' and map_index:"
                    f" {error.map_index} not found in DagRun ID: '{error.run_id}'"
                    f" of DAG ID: '{error.dag_id}'"
                ),
            )
        case errors.AlreadyExists():
            return 409, "Conflict", f"XCom entry already exists. Key: {error.key}"
        case errors.DateMismatch():
            return (
                400,
                "Bad Request",
                (
                    "execution_date from request body doesn't match the"
                    f" DAG run's, which is {error.stored.isoformat()}"
                ),
            )
        case errors.FilterTooLong() | errors.NameTooLong() | errors.ReservedKeys():
            return 400, "Bad Request", str(error)
        case errors.PreconditionFailed():
            return 412, "Precondition Failed", conditional.PRECONDITION_DETAIL
        case errors.ResponseTooLarge():
            return 507, "Insufficient Storage", conditional.too_large_detail(error)
        case errors.Unavailable():
            return 503, "Service Unavailable", conditional.unavailable_detail(error)
        case errors.Forbidden():
            return 403, "Forbidden", None
        case errors.TooManyAttempts():
            return 429, "Too Many Requests", str(error)
        case errors.AccessError():
            return 401, "Unauthorized", None
    raise error


def _http_error(error: HTTPException) -> Response:
    response = _problem_document(error.code or 500, error.name, error.description, "about:blank")
    if "Allow" in (headers := dict(error.get_headers())):
        response.headers["Allow"] = headers["Allow"]
    return response


def _problem_document(status: int, title: str | None, detail: str | None, link: str) -> Response:
    return json_io.indented_json(
        {"detail": detail, "status": status, "title": title, "type": link}, status, PROBLEM_JSON
    )
