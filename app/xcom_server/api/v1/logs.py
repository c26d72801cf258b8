"""The operation of v1 that returns logs, which emulates Airflow 2.10.5.

Tasks are not executed. The log of a try is a text of a seed file or a script.
"""

from collections.abc import Callable

from connexion.exceptions import BadRequestProblem, ProblemException
from flask import Response, request

from xcom_server import errors
from xcom_server.api import json_io, log_sources, url_tokens
from xcom_server.settings import Settings
from xcom_server.storage.models import UNMAPPED
from xcom_server.storage.store import XComStore
from xcom_server.storage.task_instances import TaskInstance, TaskKey

TEXT = "text/plain"


class LogApi:
    """The handler of this operation."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._instances = store.task_instances

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handler by operationId."""
        return {"get_log": self.get_log}

    def get_log(
        self,
        dag_id: str,
        dag_run_id: str,
        task_id: str,
        task_try_number: int,
        map_index: int = UNMAPPED,
        token: str = "",
        full_content: bool = False,
    ) -> Response:
        """Return the whole log of a try as text or, by default, in a JSON object."""
        if error := url_tokens.error(token):
            raise BadRequestProblem(error)
        key = TaskKey(dag_id, dag_run_id, task_id, map_index)
        try:
            instance = self._instances.get(key)
        except errors.TaskInstanceNotFound:
            raise ProblemException(404, "TaskInstance not found") from None
        host, text = self._read(instance, key, task_try_number)
        if request.accept_mimetypes.best_match([TEXT, json_io.JSON]) == TEXT:
            return Response(f"{host}\n{text}\n", content_type=TEXT)
        continuation = url_tokens.sign({"end_of_log": True})
        return json_io.indented_json_fast(
            {"content": str([(host, text)]), "continuation_token": continuation}
        )

    def _read(self, instance: TaskInstance, key: TaskKey, try_number: int) -> tuple[str, str]:
        """Return the host of a try and its log, which begins with the lines about its source."""
        if try_number < 1:
            return "default_host", f"Error fetching the logs. Try number {try_number} is invalid."
        log = self._instances.log(key, try_number)
        if log is None:
            return instance.hostname, log_sources.NO_LOG
        lines = [
            " INFO - ::group::Log message source details",
            "*** Found local files:",
            f"***   * {log_sources.file(key, try_number)}",
            " INFO - ::endgroup::",
            log.removesuffix("\n"),
        ]
        return instance.hostname, "\n".join(lines)
