"""The log: a line for each request if enabled, and never a value or a credential."""

import json
import re
import socket
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from xcom_server.observability.limited_handler import MAX_LINES

from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

ENTRIES = "/dags/etl/dagRuns/r/taskInstances/t/xcomEntries"
SECRETS = ("hunter2", "opensesame", "bGV0bWU6aW4=")


def send(server: LiveServer, path: str, body: object = None, **headers: str) -> int:
    request = Request(
        server.api + path,
        headers={"X-Request-Id": "from-the-client", **headers},
        data=None if body is None else json.dumps(body).encode(),
    )
    try:
        with urlopen(request, timeout=30) as response:
            return int(response.status)
    except HTTPError as error:
        with error:
            return error.code


def send_secrets(server: LiveServer) -> None:
    """Send secrets in every part of a request that a client controls."""
    json_type = {"Content-Type": "application/json"}
    send(server, ENTRIES, {"key": "k", "value": "hunter2"}, **json_type)
    send(server, ENTRIES, {"key": "k", "value": "hunter2"}, **json_type)
    send(server, ENTRIES, {"key": "k", "value": "hunter2", "hunter2": 1}, **json_type)
    send(server, ENTRIES + "/a%0Ab%20c?token=opensesame")
    send(server, ENTRIES + "/k", Authorization="Basic bGV0bWU6aW4=", Cookie="opensesame")


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_each_request_is_logged_in_a_line_without_secrets(tmp_path: Path, log_format: str) -> None:
    with LiveServer(tmp_path, XCOM_LOG_FORMAT=log_format, XCOM_LOG_REQUESTS="true") as server:
        send_secrets(server)
    log = server.log.read_text()

    lines = [line for line in log.splitlines() if "from-the-client" in line]
    assert len(lines) == 5
    assert "GET /api/v1" + ENTRIES + "/a%0Ab%20c 400 in " in lines[3]
    assert not any(secret in log for secret in SECRETS)
    if log_format == "json":
        events = [json.loads(line) for line in log.splitlines()]
        assert {"level", "logger", "pid", "message", "timestamp"} <= set(events[0])
        created = next(event for event in events if event.get("method") == "POST")
        assert (
            created.items()
            >= {
                "request_id": "from-the-client",
                "path": "/api/v1" + ENTRIES,
                "status": 200,
                "user": "Anonymous",
                "client": "127.0.0.1",
            }.items()
        )
        assert created["milliseconds"] > 0
        times = [event["milliseconds"] for event in events if "milliseconds" in event]
        assert times == [round(each, 1) for each in times]


def test_database_error_is_logged_with_the_request_id_only(
    tmp_path: Path,
) -> None:
    with LiveServer(tmp_path, XCOM_LOG_FORMAT="json") as server:
        (tmp_path / "xcom.db").unlink()
        assert (
            send(
                server,
                ENTRIES,
                {"key": "k", "value": "hunter2"},
                **{"Content-Type": "application/json"},
            )
            == 503
        )
    events = [json.loads(line) for line in server.log.read_text().splitlines()]

    logged = [event for event in events if event.get("request_id") == "from-the-client"]
    assert [event["level"] for event in logged] == ["WARNING"]
    assert "unable to open database file" in logged[0]["message"]
    assert "hunter2" not in server.log.read_text()


def test_header_rejected_by_gunicorn_is_not_logged(tmp_path: Path) -> None:
    with (
        LiveServer(tmp_path) as server,
        socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection,
    ):
        connection.sendall(b"GET /live HTTP/1.1\r\nAuthorization Basic hunter2\r\n\r\n")
        assert b" 400 " in connection.recv(1000)

    assert "Invalid request from" in server.log.read_text()
    assert "hunter2" not in server.log.read_text()


def test_malformed_requests_do_not_fill_the_log(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1) as server:
        for _ in range(300):
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
                connection.sendall(b"GET /live HTTP/1.1\r\nno colon\r\n\r\n")
                assert b" 400 " in connection.recv(1000)
    lines = [line for line in server.log.read_text().splitlines() if "Invalid request" in line]

    assert len(lines) == MAX_LINES + 1
    report = rf" {300 - MAX_LINES} more lines of this kind within \d+ s, the last one: Invalid"
    assert re.search(report, lines[-1]), lines[-1]


def test_requests_are_not_logged_by_default(tmp_path: Path) -> None:
    with LiveServer(tmp_path) as server:
        send_secrets(server)

    assert "from-the-client" not in server.log.read_text()
