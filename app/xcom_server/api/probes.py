"""The probes of platforms: is the server alive, is it ready, which version is it."""

import json
from typing import Any

from flask import Flask, Response

from xcom_server import __version__
from xcom_server.api import health
from xcom_server.api.v1 import release as v1
from xcom_server.api.v2 import release as v2
from xcom_server.errors import Unavailable
from xcom_server.observability import shared
from xcom_server.storage.sql.schema import HEAD
from xcom_server.storage.store import XComStore


def mount(app: Flask, store: XComStore) -> None:
    """Route the probes, which need no credentials."""
    app.add_url_rule("/health", "health", lambda: _one_line(health.health(store)))
    app.add_url_rule("/live", "live", lambda: _one_line({"status": "live"}))
    app.add_url_rule("/ready", "ready", lambda: _ready(store))
    app.add_url_rule("/version", "version", lambda: _one_line({
        "version": __version__, "schema": HEAD,
        "airflow": {"v1": v1.AIRFLOW_VERSION, "v2": v2.AIRFLOW_VERSION}}))


def _ready(store: XComStore) -> Response:
    """Answer 200, or 503 with the reason why the server should get no requests now."""
    if shared.is_draining():
        return _not_ready("The server is about to stop.")
    try:
        store.check()
    except Unavailable as error:
        return _not_ready(error.reason)
    return _one_line({"status": "ready"})


def _not_ready(reason: str) -> Response:
    return _one_line({"status": "not ready", "reason": reason}, 503)


def _one_line(data: Any, status: int = 200) -> Response:
    return Response(json.dumps(data, sort_keys=True), status, mimetype="application/json")
