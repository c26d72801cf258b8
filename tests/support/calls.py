"""Paths and requests of one version of the API, with percent-encoded ids."""

from typing import Any
from urllib.parse import quote

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

RUN = "scheduled__2024-01-01T00:00:00+00:00"


class Calls:
    def __init__(self, version: str) -> None:
        self._version = version

    def runs(self, dag_id: str = "etl") -> str:
        """Return the path of a DAG's runs."""
        return f"/api/{self._version}/dags/{quote(dag_id, safe='')}/dagRuns"

    def run(self, dag_run_id: str = RUN, dag_id: str = "etl") -> str:
        """Return the path of one run."""
        return f"{self.runs(dag_id)}/{quote(dag_run_id, safe='')}"

    def dag(self, dag_id: str = "etl") -> str:
        """Return the path of a DAG."""
        return f"/api/{self._version}/dags/{quote(dag_id, safe='')}"

    def instances(self, dag_id: str = "etl", dag_run_id: str = RUN) -> str:
        """Return the path of the task instances of a run."""
        return f"{self.run(dag_run_id, dag_id)}/taskInstances"

    def entries(self, dag_id: str = "etl", dag_run_id: str = RUN, task_id: str = "extract") -> str:
        """Return the path of a task's entries."""
        dag, run, task = (quote(name, safe="") for name in (dag_id, dag_run_id, task_id))
        return f"/api/{self._version}/dags/{dag}/dagRuns/{run}/taskInstances/{task}/xcomEntries"

    def entry(self, key: str, **names: str) -> str:
        """Return the path of one entry."""
        return f"{self.entries(**names)}/{quote(key, safe='')}"

    def create(
        self, client: FlaskClient, key: str = "k", value: Any = "v", **body: Any
    ) -> TestResponse:
        """Create an entry of the task that `entries()` addresses."""
        return client.post(self.entries(), json={"key": key, "value": value, **body})
