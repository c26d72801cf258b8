"""Health: what clients probe before they ask for entries."""

from typing import Any

from xcom_server.storage.sql.store import XComStore


def health(store: XComStore) -> dict[str, dict[str, Any]]:
    """Return Airflow's health object; only the database is real here, the rest does not run."""
    return {
        "metadatabase": {"status": "healthy" if store.is_healthy() else "unhealthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }
