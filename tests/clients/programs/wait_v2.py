"""Run the DAG `etl` and follow its state until the results of two tasks arrive."""

import json
import os
import sys

import requests

HOST = os.environ["AIRFLOW_URL"]
INTERVAL = os.environ.get("POLL_SECONDS", "5")

credentials = {
    "username": os.environ["AIRFLOW_USER"],
    "password": os.environ["AIRFLOW_PASSWORD"],
}
token = requests.post(f"{HOST}/auth/token", json=credentials, timeout=30).json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}
runs = f"{HOST}/api/v2/dags/etl/dagRuns"

created = requests.post(
    runs, headers=headers, json={"logical_date": None, "conf": {"table": "orders"}}, timeout=30
)
created.raise_for_status()

with requests.get(
    f"{runs}/{created.json()['dag_run_id']}/wait",
    headers=headers,
    params={"interval": INTERVAL, "result": ["extract", "load"]},
    stream=True,
    timeout=300,
) as response:
    response.raise_for_status()
    for line in response.iter_lines():
        update = json.loads(line)
        print(update["state"])

if update["state"] != "success":
    sys.exit(1)
print("rows:", update["results"]["extract"]["rows"])
print("load:", update["results"]["load"])
