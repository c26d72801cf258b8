"""What version 1 brings along: its document's handlers, checks and ways of refusing."""

from app.api import auth, wire
from app.api.documents import Version
from app.api.paging import PageLimits
from app.api.v1.validation import VALIDATORS
from app.api.v1.xcom import XComApi
from app.settings import Settings
from app.storage.store import XComStore


def version(store: XComStore, settings: Settings, access: auth.Access) -> Version:
    """Return version 1 over a store.

    As in Airflow 2, a request that the document refuses is refused whoever sends it.
    """
    limits = PageLimits(settings.maximum_page_limit, settings.fallback_page_limit)
    api = XComApi(store, limits=limits, may_deserialize=settings.deserialize)
    return Version(name="v1", handlers=api.operations(), validators=VALIDATORS,
                   guard=auth.guard(access.by_password), guard_first=False, strict=True,
                   json_body=wire.json_body)
