"""What version 2 brings along: its document's handlers, checks and ways of refusing."""

from xcom_server.api import authorization
from xcom_server.api.openapi import Version
from xcom_server.api.v2.validation import VALIDATORS, json_body, refuse_malformed_body
from xcom_server.api.v2.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


def version(store: XComStore, settings: Settings, access: authorization.Access) -> Version:
    """Return version 2 over a store.

    As in Airflow 3, who sends a request is asked before anything is said of it, but for a body
    that cannot be read.
    """
    api = XComApi(store, maximum_page=settings.maximum_page_limit)
    check = authorization.guard(access.authenticate_bearer)

    def guard() -> None:
        refuse_malformed_body()
        check()

    return Version(name="v2", handlers=api.operations(), validators=VALIDATORS, guard=guard,
                   authorize_before_validation=True, strict=False, json_body=json_body)
