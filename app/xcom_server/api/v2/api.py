"""Version 2 of the API: the handlers of all resources, and how requests are checked."""

from xcom_server.api import authorization
from xcom_server.api.openapi import ApiVersion
from xcom_server.api.v2 import AIRFLOW_VERSION
from xcom_server.api.v2.dag_runs import DagRunApi
from xcom_server.api.v2.dags import DagApi
from xcom_server.api.v2.logs import LogApi
from xcom_server.api.v2.task_changes import TaskChangeApi
from xcom_server.api.v2.task_instances import TaskInstanceApi
from xcom_server.api.v2.validation import CHECKS, refuse_malformed_body
from xcom_server.api.v2.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore

RESOURCES = (XComApi, DagRunApi, TaskInstanceApi, TaskChangeApi, DagApi, LogApi)


def api_version(store: XComStore, settings: Settings, access: authorization.Access) -> ApiVersion:
    """Return version 2 of the API with handlers that use `store`.

    As in Airflow 3, a body that is not JSON is rejected first, then credentials are checked, and
    then the request is validated.
    """

    def authorize() -> None:
        refuse_malformed_body()
        authorization.authorize(access.authenticate_bearer)

    return ApiVersion(
        name="v2",
        airflow_version=AIRFLOW_VERSION,
        checks=CHECKS,
        handlers={
            operation_id: handler
            for resource in RESOURCES
            for operation_id, handler in resource(store, settings).operations().items()
        },
        authorize=authorize,
        authorize_before_validation=True,
    )
