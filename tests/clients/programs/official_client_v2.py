"""Run the DAG `etl` with the client of Airflow 3."""

import json
import os
import time
import urllib.request

from airflow_client.client import ApiClient, Configuration
from airflow_client.client.api import DagRunApi, TaskInstanceApi, XComApi
from airflow_client.client.exceptions import NotFoundException
from airflow_client.client.models import DagRunState, TriggerDAGRunPostBody

host = os.environ["AIRFLOW_URL"]
poll_seconds = float(os.environ.get("POLL_SECONDS", "5"))


def get_access_token() -> str:
    credentials = {
        "username": os.environ["AIRFLOW_USER"],
        "password": os.environ["AIRFLOW_PASSWORD"],
    }
    request = urllib.request.Request(
        f"{host}/auth/token",
        data=json.dumps(credentials).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as response:
        return json.load(response)["access_token"]


configuration = Configuration(host=host, access_token=get_access_token())
with ApiClient(configuration) as api_client:
    runs = DagRunApi(api_client)
    body = TriggerDAGRunPostBody(logical_date=None, conf={"table": "orders"})
    run = runs.trigger_dag_run(dag_id="etl", trigger_dag_run_post_body=body)

    deadline = time.monotonic() + 300
    while run.state not in (DagRunState.SUCCESS, DagRunState.FAILED):
        if time.monotonic() > deadline:
            raise SystemExit(f"{run.dag_run_id} did not finish")
        time.sleep(poll_seconds)
        run = runs.get_dag_run(dag_id="etl", dag_run_id=run.dag_run_id)
    print("run", run.state.value, run.triggering_user_name)

    place = {"dag_id": "etl", "dag_run_id": run.dag_run_id}
    instances = TaskInstanceApi(api_client).get_task_instances(**place, state=["success"])
    for instance in instances.task_instances:
        print("task", instance.task_id, instance.state.value)

    entry = XComApi(api_client).get_xcom_entry(**place, task_id="extract", xcom_key="return_value")
    print("rows", entry.actual_instance.value["rows"])

    runs.delete_dag_run(**place)
    try:
        runs.get_dag_run(**place)
    except NotFoundException as error:
        print("deleted", error.status)
