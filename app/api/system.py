"""Health and version: what clients probe before they ask for entries."""

from typing import Any

from app.storage.store import XComStore

AIRFLOW_VERSION = "2.10.5"
"""The release whose v1 answers are emulated."""

AIRFLOW_GIT_VERSION = ".release:b93c3db6b1641b0840bd15ac7d05bc58ff2cccbf"


def health(store: XComStore) -> dict[str, dict[str, Any]]:
    """Return Airflow's health object; only the database is real here, the rest does not run."""
    return {
        "metadatabase": {"status": "healthy" if store.is_healthy() else "unhealthy"},
        "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": None},
        "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
        "dag_processor": {"status": None, "latest_dag_processor_heartbeat": None},
    }


def version() -> dict[str, str]:
    """Return the version object of the emulated release."""
    return {"git_version": AIRFLOW_GIT_VERSION, "version": AIRFLOW_VERSION}
