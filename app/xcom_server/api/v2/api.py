"""Version 2 of the API: the handlers of all resources, and how requests are checked."""

from collections.abc import Callable
from typing import Any

from flask import Response

from xcom_server.api import authorization, health, json_io
from xcom_server.api.openapi import ApiVersion
from xcom_server.api.v2 import AIRFLOW_GIT_VERSION, AIRFLOW_VERSION
from xcom_server.api.v2.dag_runs import DagRunApi
from xcom_server.api.v2.dags import DagApi
from xcom_server.api.v2.logs import LogApi
from xcom_server.api.v2.task_instance_changes import TaskInstanceChangeApi
from xcom_server.api.v2.task_instances import TaskInstanceApi
from xcom_server.api.v2.validation import CHECKS, refuse_malformed_body
from xcom_server.api.v2.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore

_RESOURCES = (XComApi, DagRunApi, TaskInstanceApi, TaskInstanceChangeApi, DagApi, LogApi)


def api_version(store: XComStore, settings: Settings, access: authorization.Access) -> ApiVersion:
    """Return version 2 of the API with handlers that use `store`.

    As in Airflow 3, a body that is not JSON is rejected first, then credentials are checked, and
    then the request is validated.
    """

    def authorize() -> None:
        refuse_malformed_body()
        authorization.authorize(access.authenticate_bearer)

    handlers = _other_operations(store, settings)
    for resource in _RESOURCES:
        handlers |= resource(store, settings).operations()
    return ApiVersion(
        name="v2",
        airflow_version=AIRFLOW_VERSION,
        checks=CHECKS,
        handlers=handlers,
        authorize=authorize,
        authorize_before_validation=True,
    )


def _other_operations(store: XComStore, settings: Settings) -> dict[str, Callable[..., Response]]:
    return {
        "get_import_errors": _list_import_errors,
        "get_health": lambda: json_io.compact_json(health.health(store, settings)),
        "get_version": lambda: json_io.compact_json(
            {"version": AIRFLOW_VERSION, "git_version": AIRFLOW_GIT_VERSION}
        ),
    }


def _list_import_errors(**params: Any) -> Response:
    """Return an empty list: without DAG files there are no errors in them."""
    return json_io.compact_json({"import_errors": [], "total_entries": 0})
