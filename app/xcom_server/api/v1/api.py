"""Version 1 of the API, put together from its handlers, checks and authorization."""

from functools import partial

from xcom_server.api import authorization
from xcom_server.api.openapi import ApiVersion
from xcom_server.api.v1 import AIRFLOW_VERSION
from xcom_server.api.v1.validation import CHECKS
from xcom_server.api.v1.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


def api_version(store: XComStore, settings: Settings, access: authorization.Access) -> ApiVersion:
    """Return version 1 over a store.

    As in Airflow 2, an invalid request is refused before its credentials are checked.
    """
    return ApiVersion(name="v1", airflow_version=AIRFLOW_VERSION, checks=CHECKS,
                      handlers=XComApi(store, settings).operations(),
                      authorize=partial(authorization.authorize, access.authenticate_basic),
                      authorize_before_validation=False)
