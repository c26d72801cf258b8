"""The operations of v1 on task instances."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore

# TODO: the handlers are not written yet.
_OPERATIONS = (
    "get_task_instances",
    "get_task_instances_batch",
    "get_task_instance",
    "patch_task_instance",
    "set_task_instance_note",
    "get_mapped_task_instances",
    "get_task_instance_tries",
    "get_task_instance_try_details",
    "get_mapped_task_instance",
    "patch_mapped_task_instance",
    "set_mapped_task_instance_note",
    "get_mapped_task_instance_tries",
    "get_mapped_task_instance_try_details",
    "post_clear_task_instances",
)


class TaskInstanceApi:
    """The handlers of these operations."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return dict.fromkeys(_OPERATIONS, _not_implemented)


def _not_implemented(**arguments: Any) -> Response:
    raise ProblemException(501, "Not Implemented")
