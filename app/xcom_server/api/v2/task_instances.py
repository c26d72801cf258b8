"""The operations on task instances of v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


class TaskInstanceApi:
    """The handlers of the operations on task instances in openapi/v2.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_task_instances": _not_implemented,
            "get_task_instances_batch": _not_implemented,
            "get_task_instance": _not_implemented,
            "patch_task_instance": _not_implemented,
            "delete_task_instance": _not_implemented,
            "patch_task_instance_dry_run": _not_implemented,
            "get_mapped_task_instances": _not_implemented,
            "get_task_instance_tries": _not_implemented,
            "get_task_instance_try_details": _not_implemented,
            "get_mapped_task_instance": _not_implemented,
            "patch_task_instance_by_map_index": _not_implemented,
            "patch_task_instance_dry_run_by_map_index": _not_implemented,
            "get_mapped_task_instance_tries": _not_implemented,
            "get_mapped_task_instance_try_details": _not_implemented,
            "post_clear_task_instances": _not_implemented,
        }


def _not_implemented(**arguments: Any) -> Response:
    raise ProblemException(501, detail="Not Implemented")
