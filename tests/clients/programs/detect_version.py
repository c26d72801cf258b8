"""Run the DAG `etl` on Airflow 2 or 3, whichever there is."""

import ast
import os
import time
from datetime import UTC, datetime

import requests


class AirflowError(Exception):
    pass


class Airflow2:
    prefix = "/api/v1"

    def __init__(self, url, user, password):
        self.url = url
        self.session = requests.Session()
        self.session.auth = (user, password)

    def call(self, method, path, **options):
        response = self.session.request(
            method, f"{self.url}{self.prefix}{path}", timeout=30, **options
        )
        if not response.ok:
            raise AirflowError(f"{method} {path}: {response.status_code} {response.text}")
        return response.json() if response.content else None

    def trigger(self, dag_id, conf):
        body = {"logical_date": datetime.now(UTC).isoformat(), "conf": conf}
        return self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]

    def wait(self, dag_id, run_id, timeout=300):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            run = self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}")
            if run["state"] in ("success", "failed"):
                return run["state"]
            time.sleep(float(os.environ.get("POLL_SECONDS", "5")))
        raise AirflowError(f"{run_id} did not finish in {timeout} seconds")

    def task_state(self, dag_id, run_id, task_id):
        return self.call("GET", f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}")["state"]

    def entry(self, dag_id, run_id, task_id):
        place = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        return self.call("GET", f"{place}/xcomEntries/return_value")["value"]

    def result(self, dag_id, run_id, task_id):
        return ast.literal_eval(self.entry(dag_id, run_id, task_id))


class Airflow3(Airflow2):
    prefix = "/api/v2"

    def __init__(self, url, user, password):
        super().__init__(url, user, password)
        self.session.auth = None
        login = self.session.post(
            f"{url}/auth/token", json={"username": user, "password": password}, timeout=30
        )
        login.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"

    def trigger(self, dag_id, conf):
        body = {"logical_date": None, "conf": conf}
        return self.call("POST", f"/dags/{dag_id}/dagRuns", json=body)["dag_run_id"]

    def result(self, dag_id, run_id, task_id):
        return self.entry(dag_id, run_id, task_id)


def connect(url, user, password):
    """Return a client for the newest version that the server has, or for the configured one."""
    wanted = os.environ.get("AIRFLOW_API_VERSION")
    for client in (Airflow3, Airflow2):
        if wanted and not client.prefix.endswith(wanted):
            continue
        response = requests.get(f"{url}{client.prefix}/version", timeout=30)
        if response.ok:
            print("Airflow", response.json()["version"])
            return client(url, user, password)
    raise AirflowError(f"there is no Airflow at {url}")


if __name__ == "__main__":
    airflow = connect(
        os.environ["AIRFLOW_URL"], os.environ["AIRFLOW_USER"], os.environ["AIRFLOW_PASSWORD"]
    )
    run_id = airflow.trigger("etl", {"table": "orders"})
    print("run:", airflow.wait("etl", run_id))
    print("extract:", airflow.task_state("etl", run_id, "extract"))
    print("rows:", airflow.result("etl", run_id, "extract")["rows"])
