"""The operations on DAGs and tasks of v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


class DagApi:
    """The handlers of the operations on DAGs and tasks in openapi/v2.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_dags": _not_implemented,
            "patch_dags": _not_implemented,
            "get_dag": _not_implemented,
            "patch_dag": _not_implemented,
            "delete_dag": _not_implemented,
            "get_dag_details": _not_implemented,
            "get_tasks": _not_implemented,
            "get_task": _not_implemented,
            "get_import_errors": _not_implemented,
        }


def _not_implemented(**arguments: Any) -> Response:
    raise ProblemException(501, detail="Not Implemented")
