"""Wait for Airflow to start, run the DAG `backup`, and print why it failed.

This runs at the start of a test environment: the DAG is paused, and the scheduler may not run yet.
"""

import os
import sys
import time

import httpx

URL = os.environ["AIRFLOW_URL"]
USER, PASSWORD = os.environ["AIRFLOW_USER"], os.environ["AIRFLOW_PASSWORD"]
VERSION = os.environ.get("AIRFLOW_API_VERSION", "v2")
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "5"))
DAG = "backup"


def wait_for(what, condition, timeout=180):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        try:
            result = condition()
        except httpx.TransportError:
            result = None
        if result:
            return result
        time.sleep(POLL_SECONDS)
    sys.exit(f"timed out: {what}")


def scheduler_is_healthy():
    path = "/health" if VERSION == "v1" else "/api/v2/monitor/health"
    health = httpx.get(URL + path).raise_for_status().json()
    parts = ("metadatabase", "scheduler")
    return all(health[part]["status"] == "healthy" for part in parts) and health


def connect():
    client = httpx.Client(base_url=f"{URL}/api/{VERSION}", timeout=30)
    if VERSION == "v1":
        client.auth = (USER, PASSWORD)
    else:
        login = httpx.post(f"{URL}/auth/token", json={"username": USER, "password": PASSWORD})
        token = login.raise_for_status().json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
    return client


def log_of(client, run_id, instance):
    path = f"/dags/{DAG}/dagRuns/{run_id}/taskInstances/{instance['task_id']}/logs"
    response = client.get(
        f"{path}/{instance['try_number']}",
        headers={"Accept": "text/plain" if VERSION == "v1" else "application/json"},
    ).raise_for_status()
    if VERSION == "v1":
        return response.text
    return "\n".join(event["event"] for event in response.json()["content"])


def main():
    health = wait_for("scheduler", scheduler_is_healthy)
    print("scheduler", health["scheduler"]["status"])
    with connect() as client:
        dag = client.patch(f"/dags/{DAG}", json={"is_paused": False}).raise_for_status().json()
        print("paused", dag["is_paused"])
        body = {} if VERSION == "v1" else {"logical_date": None}
        run = client.post(f"/dags/{DAG}/dagRuns", json=body).raise_for_status().json()
        runs = f"/dags/{DAG}/dagRuns/{run['dag_run_id']}"

        def finished():
            run = client.get(runs).raise_for_status().json()
            return run if run["state"] in ("success", "failed") else None

        print("run", wait_for("run", finished)["state"])
        failed = client.get(f"{runs}/taskInstances", params={"state": "failed"})
        for instance in failed.raise_for_status().json()["task_instances"]:
            print("failed", instance["task_id"])
            print(log_of(client, run["dag_run_id"], instance))
        client.patch(f"/dags/{DAG}", json={"is_paused": True}).raise_for_status()


if __name__ == "__main__":
    main()
