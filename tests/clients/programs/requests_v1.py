"""Run the DAG `etl` for a table and print how many rows it read."""

import ast
import os
import sys
import time

import requests

API = os.environ["AIRFLOW_URL"] + "/api/v1"
AUTH = (os.environ["AIRFLOW_USER"], os.environ["AIRFLOW_PASSWORD"])
POLL_SECONDS = float(os.environ.get("POLL_SECONDS", "5"))
TIMEOUT_SECONDS = 300
DAG = "etl"


def get(path, **params):
    response = requests.get(f"{API}/{path}", auth=AUTH, params=params, timeout=30)
    response.raise_for_status()
    return response.json()


def main():
    response = requests.post(
        f"{API}/dags/{DAG}/dagRuns", auth=AUTH, json={"conf": {"table": "orders"}}, timeout=30
    )
    response.raise_for_status()
    run_id = response.json()["dag_run_id"]

    started = time.time()
    state = response.json()["state"]
    while state not in ("success", "failed"):
        if time.time() - started > TIMEOUT_SECONDS:
            sys.exit(f"{run_id} is still {state}")
        time.sleep(POLL_SECONDS)
        state = get(f"dags/{DAG}/dagRuns/{run_id}")["state"]
    print("state:", state)

    instances = get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances")["task_instances"]
    for instance in instances:
        if instance["state"] != "success":
            sys.exit(f"{instance['task_id']} is {instance['state']}")
    print("tasks:", ", ".join(sorted(instance["task_id"] for instance in instances)))

    entry = get(f"dags/{DAG}/dagRuns/{run_id}/taskInstances/extract/xcomEntries/return_value")
    report = ast.literal_eval(entry["value"])
    print(f"{report['rows']} rows of {report['table']}")


if __name__ == "__main__":
    main()
