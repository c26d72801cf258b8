"""Version 1 of the API: the handlers of all its operations."""

from collections.abc import Callable
from functools import partial

from flask import Response

from xcom_server.api import authorization, health, json_io
from xcom_server.api.openapi import ApiVersion
from xcom_server.api.v1 import AIRFLOW_GIT_VERSION, AIRFLOW_VERSION, listing
from xcom_server.api.v1.dag_runs import DagRunApi
from xcom_server.api.v1.dags import DagApi
from xcom_server.api.v1.logs import LogApi
from xcom_server.api.v1.task_instance_changes import TaskInstanceChangeApi
from xcom_server.api.v1.task_instances import TaskInstanceApi
from xcom_server.api.v1.validation import CHECKS
from xcom_server.api.v1.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore

_RESOURCES = (XComApi, DagRunApi, TaskInstanceApi, TaskInstanceChangeApi, DagApi, LogApi)


def api_version(store: XComStore, settings: Settings, access: authorization.Access) -> ApiVersion:
    """Return version 1 of the API with handlers that use `store`.

    As in Airflow 2, requests are validated before their credentials are checked.
    """
    handlers = _other_operations(store, settings)
    for resource in _RESOURCES:
        handlers |= resource(store, settings).operations()
    return ApiVersion(
        name="v1",
        airflow_version=AIRFLOW_VERSION,
        checks=CHECKS,
        handlers=handlers,
        authorize=partial(authorization.authorize, access.authenticate_basic),
        authorize_before_validation=False,
    )


def _other_operations(store: XComStore, settings: Settings) -> dict[str, Callable[..., Response]]:
    return {
        "get_import_errors": partial(_list_import_errors, settings),
        "get_health": lambda: json_io.indented_json(health.health(store, settings)),
        "get_version": lambda: json_io.indented_json(
            {"version": AIRFLOW_VERSION, "git_version": AIRFLOW_GIT_VERSION}
        ),
    }


def _list_import_errors(
    settings: Settings, limit: int, offset: int = 0, order_by: str = ""
) -> Response:
    """Return an empty list: without DAG files there are no errors in them."""
    listing.page_size(limit, settings)
    return json_io.indented_json({"import_errors": [], "total_entries": 0})
