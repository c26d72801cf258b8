"""Run the DAG `etl` of an Airflow 3 and print its report."""

import os
import time

import requests

BASE = os.environ["AIRFLOW_URL"]
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "5"))


class Airflow:
    def __init__(self, base, username, password):
        self.base = base
        self.session = requests.Session()
        login = self.session.post(
            f"{base}/auth/token", json={"username": username, "password": password}
        )
        login.raise_for_status()
        self.session.headers["Authorization"] = f"Bearer {login.json()['access_token']}"

    def call(self, method, path, **options):
        response = self.session.request(method, f"{self.base}/api/v2/{path}", **options)
        response.raise_for_status()
        return response.json()

    def run(self, dag_id, conf, timeout=300):
        run = self.call("POST", f"dags/{dag_id}/dagRuns", json={"logical_date": None, "conf": conf})
        deadline = time.monotonic() + timeout
        while run["state"] in ("queued", "running"):
            if time.monotonic() > deadline:
                raise TimeoutError(run["dag_run_id"])
            time.sleep(POLL_SECONDS)
            run = self.call("GET", f"dags/{dag_id}/dagRuns/{run['dag_run_id']}")
        return run

    def result(self, run, task_id):
        path = f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances"
        listed = self.call("GET", path, params={"task_id": task_id, "state": "success"})
        if listed["total_entries"] == 0:
            raise LookupError(f"{task_id} did not succeed")
        return self.call("GET", f"{path}/{task_id}/xcomEntries/return_value")["value"]


if __name__ == "__main__":
    airflow = Airflow(BASE, os.environ["AIRFLOW_USER"], os.environ["AIRFLOW_PASSWORD"])
    finished = airflow.run("etl", {"table": "customers"})
    print(finished["state"], finished["conf"])
    print(airflow.result(finished, "extract"))
