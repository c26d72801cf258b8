"""Airflow's health object, which clients probe before they ask for entries."""

from xcom_server.errors import Unavailable
from xcom_server.storage.store import XComStore

Component = dict[str, str | None]
"""`status`, and for all but the database when it last sent a heartbeat."""


def health(store: XComStore) -> dict[str, Component]:
    """Return the health object; only the database exists here, other components never run."""
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
