"""Version 2 of the API, put together from its handlers, checks and authorization."""

from xcom_server.api import authorization
from xcom_server.api.openapi import ApiVersion
from xcom_server.api.v2 import AIRFLOW_VERSION
from xcom_server.api.v2.validation import CHECKS, refuse_malformed_body
from xcom_server.api.v2.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


def api_version(store: XComStore, settings: Settings, access: authorization.Access) -> ApiVersion:
    """Return version 2 over a store.

    As in Airflow 3, credentials are checked before everything else, except that a body which is
    not JSON is refused first.
    """
    def authorize() -> None:
        refuse_malformed_body()
        authorization.authorize(access.authenticate_bearer)

    return ApiVersion(name="v2", airflow_version=AIRFLOW_VERSION, checks=CHECKS,
                      handlers=XComApi(store, settings).operations(),
                      authorize=authorize, authorize_before_validation=True)
