"""The operations on logs of v2, which emulate Airflow 3.3.2."""

from collections.abc import Callable
from typing import Any

from connexion.exceptions import ProblemException
from flask import Response

from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


class LogApi:
    """The handlers of the operations on logs in openapi/v2.yaml."""

    def __init__(self, store: XComStore, settings: Settings) -> None:
        self._store = store
        self._maximum_page = settings.maximum_page_limit

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        return {
            "get_log": _not_implemented,
        }


def _not_implemented(**arguments: Any) -> Response:
    raise ProblemException(501, detail="Not Implemented")
