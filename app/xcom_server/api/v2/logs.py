"""The operation on logs of v2, which emulates Airflow 3.3.2.

Tasks are not executed. The log of a try is a text of a seed file or a script.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response, request
from pydantic_core import SchemaValidator, ValidationError, core_schema, to_json

from xcom_server.api import json_io, log_sources, url_tokens
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskKey

NDJSON = "application/x-ndjson"
CONTINUATION_HEADER = "Airflow-Continuation-Token"

Message = Mapping[str, Any]

_MESSAGE = SchemaValidator(
    core_schema.typed_dict_schema(
        {
            "timestamp": core_schema.typed_dict_field(
                core_schema.nullable_schema(core_schema.datetime_schema()), required=False
            ),
            "event": core_schema.typed_dict_field(core_schema.str_schema()),
        },
        extra_behavior="allow",
    )
)


class LogApi:
    """The handler of the operation on logs in openapi/v2.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._instances = store.task_instances

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {"get_log": self.get_log}

    def get_log(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        try_number: int,
        map_index: int,
        full_content: bool,
        token: str | None = None,
    ) -> Response:
        """Return the whole log of a try, as JSON or as NDJSON."""
        is_ndjson = _wants_ndjson(request.headers.get("Accept", "*/*"))
        if error := url_tokens.error(token):
            raise BadRequestProblem(detail=error)
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        self._require_try(key, try_number)
        messages = [*_messages(key, try_number, self._instances.log(key, try_number))]
        return _ndjson(messages, full_content) if is_ndjson else _json(messages)

    def _require_try(self, key: TaskKey, try_number: int) -> None:
        """Raise a 404 unless the try is the current one or one before it."""
        if try_number not in [each.try_number for each in self._instances.tries(key)]:
            raise ProblemException(404, detail="TaskInstance not found")


def _wants_ndjson(accept: str) -> bool:
    """Return whether the client accepts lines; raise a 406 if it accepts neither format."""
    if accept.startswith(("*/*", json_io.JSON)):
        return False
    if accept.startswith(NDJSON):
        return True
    raise ProblemException(406, detail=f"Only {json_io.JSON} or {NDJSON} is supported")


def _messages(key: TaskKey, try_number: int, text: str | None) -> Iterator[Message]:
    """Yield the messages of a log, after the file from which Airflow would have read it."""
    if text is None:
        yield {"event": log_sources.NO_LOG}
        return
    yield {"event": "::group::Log message source details"}
    yield {"event": log_sources.file(key, try_number)}
    yield {"event": "::endgroup::"}
    yield from _parsed(text)


def _parsed(text: str) -> Iterator[Message]:
    """Yield the messages of a log: JSON objects with an `event`, and other lines as events.

    As in Airflow, a line has the time at its start, or that of the line before it.
    """
    time: datetime | None = None
    for line in filter(None, text.split("\n")):
        try:
            message = _MESSAGE.validate_json(line)
        except ValidationError:
            time = _time(line) or time
            message = {"timestamp": time, "event": line}
        if message.get("timestamp"):
            message["timestamp"] = _with_zone(message["timestamp"])
        yield {
            **{name: message[name] for name in ("timestamp", "event") if name in message},
            **message,
        }


def _time(line: str) -> datetime | None:
    """Return the time that is the first word of a line, such as `[2024-01-01T00:00:00+00:00]`."""
    try:
        return _with_zone(datetime.fromisoformat(line.split(" ", 1)[0].strip("[]")))
    except ValueError:
        return None


def _with_zone(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _json(messages: list[Message]) -> Response:
    return json_io.compact_json({"content": messages, "continuation_token": None})


def _ndjson(messages: list[Message], full_content: bool) -> Response:
    lines = [to_json({"timestamp": None, **message}) + b"\n" for message in messages]
    token = url_tokens.sign({"download_logs": full_content})
    return Response(lines, mimetype=NDJSON, headers={CONTINUATION_HEADER: token})
