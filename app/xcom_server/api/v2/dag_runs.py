"""The operations on DAG runs of v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


class DagRunApi:
    """The handlers of the operations on DAG runs in openapi/v2.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_dag_runs": _not_implemented,
            "trigger_dag_run": _not_implemented,
            "get_list_dag_runs_batch": _not_implemented,
            "get_dag_run": _not_implemented,
            "patch_dag_run": _not_implemented,
            "delete_dag_run": _not_implemented,
            "clear_dag_run": _not_implemented,
            "wait_dag_run_until_finished": _not_implemented,
        }


def _not_implemented(**arguments: Any) -> Response:
    raise ProblemException(501, detail="Not Implemented")
