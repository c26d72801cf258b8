"""Liveness and readiness probes, version information, and the health object of Airflow."""

import json
from typing import Any

from flask import Flask, Response

from xcom_server import __version__, clock
from xcom_server.errors import Unavailable
from xcom_server.observability import shared
from xcom_server.settings import Settings
from xcom_server.storage.store import XComStore


def mount(
    app: Flask, store: XComStore, settings: Settings, airflow_versions: dict[str, str]
) -> None:
    """Add `/health`, `/live`, `/ready` and `/version` to an application, without authentication.

    `airflow_versions` maps each API version to the Airflow release that it emulates; `/version`
    shows it with the versions of the server and of the database schema.  `/health` is v1's.
    """
    version = {"version": __version__, "schema": store.schema_version, "airflow": airflow_versions}
    if "v1" in airflow_versions:
        app.add_url_rule("/health", "health", lambda: _one_line(health(store, settings)))
    app.add_url_rule("/live", "live", lambda: _one_line({"status": "live"}))
    app.add_url_rule("/ready", "ready", lambda: _ready(store))
    app.add_url_rule("/version", "version", lambda: _one_line(version))


def health(store: XComStore, settings: Settings) -> dict[str, dict[str, str | None]]:
    """Return the health object of Airflow: a status for each component.

    The status of `metadatabase` is "healthy" or "unhealthy". The other components do not exist in
    this server: the setting `scheduler_healthy` is the status of `scheduler`, whose heartbeat is
    then the current time, and the status of `triggerer` and `dag_processor` is None.
    """
    return {
        "metadatabase": {"status": "unhealthy" if _problem(store) else "healthy"},
        "scheduler": _scheduler(settings.scheduler_healthy),
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }


def _scheduler(is_healthy: bool) -> dict[str, str | None]:
    return {
        "status": "healthy" if is_healthy else "unhealthy",
        "latest_scheduler_heartbeat": clock.now().isoformat() if is_healthy else None,
    }


def _ready(store: XComStore) -> Response:
    """Return a 200, or a 503 with the reason why the server cannot take requests now."""
    reason = "The server is about to stop." if shared.is_draining() else _problem(store)
    if reason:
        return _one_line({"status": "not ready", "reason": reason}, 503)
    return _one_line({"status": "ready"})


def _problem(store: XComStore) -> str | None:
    """Return why the store is unavailable, or None."""
    try:
        store.check()
    except Unavailable as error:
        return error.reason
    return None


def _one_line(data: Any, status: int = 200) -> Response:
    return Response(json.dumps(data, sort_keys=True), status, mimetype="application/json")
