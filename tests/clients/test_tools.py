"""Tools from PyPI trigger a DAG, poll its run and read an entry."""

import ast
import re
from pathlib import Path

import pytest
from xcom_server.testing import XcomServer

from tests.support.tools import Airflowctl, McpServer
from tests.support.waiting import until

pytestmark = [
    pytest.mark.clients,
    pytest.mark.slow,
    pytest.mark.xcom(users="user:user:user", seed="programs/seed.json"),
]


def test_mcp_server_apache_airflow(xcom: XcomServer) -> None:
    place = {"dag_id": "etl", "dag_run_id": "by_mcp_server_apache_airflow"}
    with McpServer(
        "mcp-server-apache-airflow",
        AIRFLOW_HOST=xcom.url,
        AIRFLOW_USERNAME="user",
        AIRFLOW_PASSWORD="user",
    ) as server:
        assert "'is_paused': False" in server.text("unpause_dag", dag_id="etl")
        created = server.text("post_dag_run", **place, note="from MCP")
        until(lambda: "'state': 'success'" in server.text("get_dag_run", **place))
        listed = server.text("list_task_instances", **place)
        entry = server.text("get_xcom_entry", **place, task_id="extract", xcom_key="return_value")
        log = server.text("get_log", **place, task_id="extract", task_try_number=1)

    assert "'state': 'queued'" in created
    assert "'note': 'from MCP'" in created
    assert sorted(re.findall("'task_id': '(.+?)'", listed)) == ["extract", "load"]
    value = ast.literal_eval(entry)["value"]
    assert ast.literal_eval(value) == {"rows": 5, "table": None}
    assert log


def test_mcp_airflow_api(xcom: XcomServer) -> None:
    with McpServer(
        "mcp-airflow-api",
        AIRFLOW_API_BASE_URL=f"{xcom.url}/api",
        AIRFLOW_API_USERNAME="user",
        AIRFLOW_API_PASSWORD="user",
    ) as server:
        assert server.data("get_health")["scheduler"]["status"] == "healthy"
        assert "etl" in [dag["dag_id"] for dag in server.data("list_dags")["dags"]]
        created = server.data("trigger_dag", dag_id="etl")
        # Its results have no run id, because it reads a field that Airflow does not have.
        run_id = f"manual__{created['execution_date']}"

        def has_finished() -> bool:
            finished = server.data("dag_run_duration", dag_id="etl")["run_durations"]
            return created["execution_date"] in [run["execution_date"] for run in finished]

        until(has_finished)
        place = {"dag_id": "etl", "dag_run_id": run_id, "task_id": "extract"}
        details = server.data("get_task_instance_details", **place)
        entry = server.data("get_xcom_entry", **place, xcom_key="return_value")
        paused = server.data("pause_dag", dag_id="scoring")

    assert created["state"] == "queued"
    assert details["state"] == "success"
    assert ast.literal_eval(entry["value"]) == {"rows": 5, "table": None}
    assert paused["is_paused"] is True


def test_airflow_mcp_server_starts_from_the_document(xcom: XcomServer) -> None:
    place = {"dag_id": "etl", "dag_run_id": "by_airflow_mcp_server"}
    with McpServer(
        "airflow-mcp-server", AIRFLOW_BASE_URL=xcom.url, AUTH_TOKEN=xcom.token()
    ) as server:
        assert "DagRun" in server.text("browse_categories")
        server.text("select_category", category="DagRun")
        assert {"trigger_dag_run", "get_dag_run", "get_dag_runs"} <= set(server.tools())
        # The tool's own model of the body allows no null as the logical date.
        body = {"logical_date": "2024-01-01T00:00:00Z", "conf": {"table": "orders"}}
        created = server.data("trigger_dag_run", **place, **body)
        until(lambda: server.data("get_dag_run", **place)["state"] == "success")
        listed = server.data("get_task_instances", **place, state=["success"])
        entry = server.data("get_xcom_entry", **place, task_id="extract", xcom_key="return_value")
        paused = server.data("patch_dag", dag_id="scoring", is_paused=True)

    assert (created["state"], created["conf"]) == ("queued", {"table": "orders"})
    assert [each["task_id"] for each in listed["task_instances"]] == ["extract", "load"]
    assert entry["value"] == {"rows": 5, "table": "orders"}
    assert paused["is_paused"] is True


def test_apache_airflow_ctl(xcom: XcomServer, tmp_path: Path) -> None:
    airflowctl = Airflowctl(tmp_path)
    airflowctl("auth", "login", "--api-url", xcom.url, "--username", "user", "--password", "user")
    run_id = "by_airflowctl"
    # Its option --conf rejects every value.
    (created,) = airflowctl.data("dags", "trigger", "etl", "--dag-run-id", run_id)
    until(lambda: airflowctl.data("dagrun", "get", "etl", run_id)[0]["state"] == "success")
    (entry,) = airflowctl.data("xcom", "get", "etl", run_id, "extract", "return_value")
    listed = airflowctl("dagrun", "list", "--dag-id", "etl", "--state", "success", "--limit", "9")
    paused = airflowctl("dags", "pause", "scoring")

    assert (created["dag_run_id"], created["state"]) == (run_id, "queued")
    assert entry["value"] == [{"rows": "5", "table": None}]  # as it shows {"rows": 5}
    assert run_id in listed
    assert "Dag pause successful scoring" in paused
