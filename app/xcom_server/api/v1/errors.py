"""How any exception looks in v1: a problem document, as Airflow 2.10.5 writes them.

`type` links to Airflow's manual where the API itself refuses, and is `about:blank` where the
framework does (no such route, wrong method or media type), as in the original.
"""

from connexion.exceptions import ProblemException
from flask import Response
from marshmallow import ValidationError
from werkzeug.exceptions import HTTPException

from xcom_server.api import conditional, json_io
from xcom_server.api.v1.release import AIRFLOW_VERSION
from xcom_server.errors import (
    AccessError,
    AlreadyExists,
    DagNotFound,
    DateMismatch,
    EntryNotFound,
    Forbidden,
    NameTooLong,
    PreconditionFailed,
    ReservedKeys,
    RunNotFound,
    TaskInstanceNotFound,
    TooManyAttempts,
    Unavailable,
    XComError,
)

PROBLEM_JSON = "application/problem+json"

MAX_DETAIL = 2000
"""How much an error says of a body's unknown fields, in characters."""

_UNKNOWN = ["Unknown field."]  # marshmallow's words

_MANUAL = (f"https://airflow.apache.org/docs/apache-airflow/{AIRFLOW_VERSION}"
           "/stable-rest-api-ref.html#section/Errors/")
_LINKS = {400: "BadRequest", 401: "Unauthenticated", 403: "PermissionDenied", 404: "NotFound",
          409: "AlreadyExists", 500: "Unknown"}


def render(error: Exception) -> Response:
    """Return the problem document for an exception; a stranger's exception tells nothing."""
    if isinstance(error, HTTPException):
        return _of_framework(error)
    problem = _as_problem(error)
    link = _MANUAL + _LINKS[problem.status] if problem.status in _LINKS else "about:blank"
    response = _document(problem.status, problem.title, problem.detail, link)
    return conditional.explained(response, error)


def frame(response: Response) -> Response:
    """Add the headers that Airflow's web server puts on every answer of its API."""
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _as_problem(error: Exception) -> ProblemException:
    if isinstance(error, ProblemException):
        return error
    if isinstance(error, ValidationError):
        return ProblemException(400, "Bad Request", _in_words(error))
    if isinstance(error, XComError):
        return ProblemException(*_of_store(error))
    if isinstance(error, AccessError):
        return ProblemException(*_of_access(error))
    return ProblemException(500, "Internal Server Error",
                            "The server failed; its log says why.")


def _in_words(error: ValidationError) -> str:
    """Return marshmallow's messages: fields as declared, then unknown ones by name, not by hash."""
    messages = error.normalized_messages()  # type: ignore[no-untyped-call]
    unknown = {name for name, words in messages.items() if words == _UNKNOWN}
    ordered = {name: messages[name] for name in messages if name not in unknown}
    text = str(ordered | {name: messages[name] for name in sorted(unknown)})
    return text if len(text) <= MAX_DETAIL else text[:MAX_DETAIL] + "…"


def _of_store(error: XComError) -> tuple[int, str, str | None]:
    match error:
        case EntryNotFound():
            return 404, "XCom entry not found", None
        case DagNotFound():
            return 404, "DAG not found", f"The DAG with dag_id: {error.dag_id} was not found"
        case RunNotFound():
            return 404, "DAGRun not found", (f"DAGRun with DAG ID: '{error.dag_id}' and"
                                             f" DagRun ID: '{error.run_id}' not found")
        case TaskInstanceNotFound():
            return 404, "Task instance not found", (
                f"Task instance with task_id: '{error.task_id}' and map_index:"
                f" {error.map_index} not found in DagRun ID: '{error.run_id}'"
                f" of DAG ID: '{error.dag_id}'")
        case AlreadyExists():
            return 409, "Conflict", f"XCom entry already exists. Key: {error.key}"
        case DateMismatch():
            return 400, "Bad Request", ("execution_date from request body doesn't match the"
                                        f" DAG run's, which is {error.stored.isoformat()}")
        case NameTooLong():
            return 400, "Bad Request", (f"dag_id, dag_run_id, task_id and key are {error.size}"
                                        f" bytes together, more than {error.limit}")
        case PreconditionFailed():
            return 412, "Precondition Failed", conditional.MISMATCH
        case Unavailable():
            return 503, "Service Unavailable", conditional.told(error)
        case ReservedKeys():
            return 400, "Bad Request", (
                f"XCom {error.place} contains reserved serialization keys:"
                f" {', '.join(error.names)}. These keys are reserved for internal use.")
    raise error


def _of_access(error: AccessError) -> tuple[int, str, str | None]:
    match error:
        case Forbidden():
            return 403, "Forbidden", None
        case TooManyAttempts():
            return 429, "Too Many Requests", ("Too many wrong passwords. Try again in"
                                              f" {error.seconds} s.")
    return 401, "Unauthorized", None


def _of_framework(error: HTTPException) -> Response:
    response = _document(error.code or 500, error.name, error.description, "about:blank")
    if "Allow" in (headers := dict(error.get_headers())):
        response.headers["Allow"] = headers["Allow"]
    return response


def _document(status: int, title: str | None, detail: str | None, link: str) -> Response:
    return json_io.indented({"detail": detail, "status": status, "title": title, "type": link},
                       status, PROBLEM_JSON)
