"""What version 2 brings along: its document's handlers, checks and ways of refusing."""

from app.api import auth
from app.api.documents import Version
from app.api.v2.validation import VALIDATORS, json_body, refuse_malformed_body
from app.api.v2.xcom import XComApi
from app.settings import Settings
from app.storage.store import XComStore


def version(store: XComStore, settings: Settings, access: auth.Access) -> Version:
    """Return version 2 over a store.

    As in Airflow 3, who sends a request is asked before anything is said of it, but for a body
    that cannot be read.
    """
    api = XComApi(store, maximum_page=settings.maximum_page_limit)
    check = auth.guard(access.by_token)

    def guard() -> None:
        refuse_malformed_body()
        check()

    return Version(name="v2", handlers=api.operations(), validators=VALIDATORS, guard=guard,
                   guard_first=True, strict=False, json_body=json_body)
