"""The operations of v1 on DAGs and tasks."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore

# TODO: the handlers are not written yet.
_OPERATIONS = (
    "get_dags",
    "patch_dags",
    "get_dag",
    "patch_dag",
    "delete_dag",
    "get_dag_details",
    "get_tasks",
    "get_task",
)


class DagApi:
    """The handlers of these operations."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return dict.fromkeys(_OPERATIONS, _not_implemented)


def _not_implemented(**arguments: Any) -> Response:
    raise ProblemException(501, "Not Implemented")
