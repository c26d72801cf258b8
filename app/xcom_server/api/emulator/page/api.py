"""The operations of the page."""

from collections.abc import Callable

from flask import Flask, Response, request

from xcom_server.api.emulator.journal import JournalApi
from xcom_server.api.emulator.page import rendering
from xcom_server.api.emulator.page.forms import FormApi
from xcom_server.api.emulator.page.request_views import RequestViews
from xcom_server.api.emulator.page.store_views import StoreViews
from xcom_server.settings import Settings
from xcom_server.storage.emulator import EmulatorState
from xcom_server.storage.store import XComStore


class PageApi:
    """The page at /_emulator/, its style sheet and its script."""

    def __init__(self, store: XComStore, state: EmulatorState, settings: Settings) -> None:
        requests = RequestViews(state, JournalApi(store, state, settings))
        self._parts = (requests, StoreViews(store, state), FormApi(store, state))

    def operations(self) -> dict[str, Callable[..., Response]]:
        """Return the handlers by operationId."""
        handlers = {"get_asset": lambda *, name: rendering.asset(name)}
        for part in self._parts:
            handlers |= part.operations()
        return handlers


def mount(app: Flask) -> None:
    """Redirect /_emulator to the page; Werkzeug's own redirect has the Host of the request."""
    app.add_url_rule("/_emulator", "emulator_redirect", _redirect)


def _redirect() -> Response:
    query = request.query_string.decode("latin-1")
    location = "_emulator/" + (f"?{query}" if query else "")
    return Response(status=308, headers={"Location": location})
