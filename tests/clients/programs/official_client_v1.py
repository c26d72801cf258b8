"""Run the DAG `etl` with the client of Airflow 2."""

import ast
import os
import time

from airflow_client.client import ApiClient, ApiException, Configuration
from airflow_client.client.api.dag_run_api import DAGRunApi
from airflow_client.client.api.task_instance_api import TaskInstanceApi
from airflow_client.client.api.x_com_api import XComApi
from airflow_client.client.model.dag_run import DAGRun

configuration = Configuration(
    host=os.environ["AIRFLOW_URL"] + "/api/v1",
    username=os.environ["AIRFLOW_USER"],
    password=os.environ["AIRFLOW_PASSWORD"],
)
poll_seconds = float(os.environ.get("POLL_SECONDS", "5"))

with ApiClient(configuration) as api_client:
    runs = DAGRunApi(api_client)
    run = runs.post_dag_run("etl", DAGRun(conf={"table": "orders"}))
    for _ in range(60):
        run = runs.get_dag_run("etl", run.dag_run_id)
        if run.state.value in ("success", "failed"):
            break
        time.sleep(poll_seconds)
    print("run", run.state.value)

    instances = TaskInstanceApi(api_client).get_task_instances("etl", run.dag_run_id)
    for instance in sorted(instances.task_instances, key=lambda each: each.task_id):
        print("task", instance.task_id, instance.state.value)

    entries = XComApi(api_client)
    value = entries.get_xcom_entry("etl", run.dag_run_id, "extract", "return_value").value
    print("rows", ast.literal_eval(value)["rows"])

    runs.delete_dag_run("etl", run.dag_run_id)
    try:
        runs.get_dag_run("etl", run.dag_run_id)
    except ApiException as error:
        print("deleted", error.status)
