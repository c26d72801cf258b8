"""A base path under gunicorn, and the variable that gunicorn itself would read."""

import json
import os
import socket
import subprocess
import tempfile
from pathlib import Path

import pytest
import requests

from tests.support.commands import XCOM_SERVER, xcom_server
from tests.support.live_server import LiveServer
from tests.support.users import write_role_users
from tests.support.waiting import SECONDS, until

pytestmark = pytest.mark.slow

ENTRIES = "dags/etl/dagRuns/manual_1/taskInstances/extract/xcomEntries"


def test_both_versions_and_the_start_page_work_under_a_prefix(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1, XCOM_BASE_PATH="/airflow") as server:
        assert server.url.endswith("/airflow")
        created = requests.post(f"{server.api}/{ENTRIES}", json={"key": "k", "value": "v"})
        read = requests.get(f"{server.url}/api/v2/{ENTRIES}/k")
        missing = requests.get(f"{server.url}/api/v2/{ENTRIES}/nothing")
        page = requests.get(server.url, headers={"Accept": "text/html"})
        probe = requests.get(f"http://127.0.0.1:{server.port}/ready")
        outside = requests.get(f"http://127.0.0.1:{server.port}/api/v1/{ENTRIES}")

    assert (created.status_code, read.json()["value"]) == (200, "v")
    assert missing.json() == {"detail": "XCom entry with key: `nothing` not found"}
    assert 'href="/airflow/api/v1/ui/"' in page.text
    assert probe.json() == {"status": "ready"}
    assert (outside.status_code, outside.json()["title"]) == (404, "Not Found")


def test_proxy_that_connects_to_a_unix_socket_can_be_trusted(tmp_path: Path) -> None:
    write_role_users(tmp_path / "xcom-users.json")
    environ = {
        **os.environ,
        "XCOM_AUTH": "users",
        "XCOM_TRUSTED_PROXIES": "unix",
        "XCOM_DRAIN_SECONDS": "0",
        "XCOM_WORKERS": "1",
    }
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:  # the path of a socket must be short
        path = f"{folder}/x.sock"
        command = [XCOM_SERVER, "serve", "--bind", f"unix:{path}"]
        with subprocess.Popen(command, cwd=tmp_path, env=environ) as server:
            try:
                until(lambda: Path(path).exists())
                assert prefix_of_servers(path) == "/airflow"
            finally:
                server.terminate()


def prefix_of_servers(path: str) -> str:
    """Return the URL of the server in a document that is read through a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(SECONDS)
        client.connect(path)
        client.sendall(
            b"GET /openapi.json HTTP/1.0\r\nHost: localhost\r\nX-Forwarded-Prefix: /airflow\r\n\r\n"
        )
        with client.makefile("rb") as stream:
            body = stream.read().partition(b"\r\n\r\n")[2]
    return str(json.loads(body)["servers"][0]["url"])


def test_variable_script_name_is_refused_in_one_line(tmp_path: Path) -> None:
    result = xcom_server(tmp_path, "serve", "--bind", "127.0.0.1:0", SCRIPT_NAME="/airflow")

    assert result.returncode == 1
    assert result.stderr.endswith(
        "xcom-server: the variable SCRIPT_NAME is not supported. Unset it, and set XCOM_BASE_PATH"
        " to the base path, such as /airflow.\n"
    )
    assert "Traceback" not in result.stderr
