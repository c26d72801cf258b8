"""What version 1 brings along: its document's handlers, checks and ways of refusing."""

from xcom_server.api import authorization, json_io
from xcom_server.api.openapi import Version
from xcom_server.api.v1.paging import PageLimits
from xcom_server.api.v1.validation import VALIDATORS
from xcom_server.api.v1.xcom import XComApi
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


def version(store: XComStore, settings: Settings, access: authorization.Access) -> Version:
    """Return version 1 over a store.

    As in Airflow 2, a request that the document refuses is refused whoever sends it.
    """
    limits = PageLimits(settings.maximum_page_limit, settings.fallback_page_limit)
    api = XComApi(store, limits=limits, may_deserialize=settings.deserialize)
    return Version(name="v1", handlers=api.operations(), validators=VALIDATORS,
                   guard=authorization.guard(access.authenticate_basic), authorize_before_validation=False, strict=True,
                   json_body=json_io.json_body)
