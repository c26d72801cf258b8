"""Health: what clients probe before they ask for entries."""

from typing import Any

from xcom_server.errors import Unavailable
from xcom_server.storage.store import XComStore


def health(store: XComStore) -> dict[str, dict[str, Any]]:
    """Return Airflow's health object; only the database is real here, the rest does not run."""
    return {
        "metadatabase": {"status": "healthy" if _is_healthy(store) else "unhealthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }


def _is_healthy(store: XComStore) -> bool:
    try:
        store.check()
    except Unavailable:
        return False
    return True
