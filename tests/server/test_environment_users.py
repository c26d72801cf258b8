"""`XCOM_USERS=ann:secret:op xcom-server serve`: a server with users from one variable."""

import json
import subprocess
from base64 import b64encode
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support.commands import xcom_server
from tests.support.http_client import status
from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

PASSWORD = "s3cr:et word"
ENTRIES = "dags/~/dagRuns/~/taskInstances/~/xcomEntries"


@pytest.mark.parametrize("key_file", ["token.key", "no/folder/token.key"])
def test_one_variable_is_enough_for_a_server_with_users(tmp_path: Path, key_file: str) -> None:
    users = f"ann:{PASSWORD}:op,bob:x:viewer"
    with LiveServer(tmp_path, workers=3, XCOM_USERS=users, XCOM_TOKEN_KEY_FILE=key_file) as server:
        basic = b64encode(f"ann:{PASSWORD}".encode()).decode()
        with urlopen(
            Request(f"{server.api}/{ENTRIES}", headers={"Authorization": f"Basic {basic}"})
        ) as response:
            assert response.status == 200
        assert status(f"{server.api}/{ENTRIES}") == 401
        body = json.dumps({"username": "ann", "password": PASSWORD}).encode()
        request = Request(f"{server.url}/auth/token", body, {"Content-Type": "application/json"})
        with urlopen(request) as response:
            token = json.loads(response.read())["access_token"]
        for _ in range(12):  # each worker accepts it
            request = Request(
                f"{server.url}/api/v2/{ENTRIES}", headers={"Authorization": f"Bearer {token}"}
            )
            with urlopen(request) as response:
                assert response.status == 200
        arguments = [
            Path(f"/proc/{pid}/cmdline").read_text()
            for pid in [server.process.pid, *server.workers()]
        ]

    log = server.log.read_text()
    assert "The users (2) are those in XCOM_USERS, which is for tests" in log
    assert log.count("cannot be created") == key_file.count("no/")
    assert not any(PASSWORD in text for text in [log, *arguments])
    assert (tmp_path / key_file).exists() == (key_file == "token.key")


def test_workers_share_a_temporary_key_for_any_credentials(tmp_path: Path) -> None:
    key = "no/folder/token.key"
    with LiveServer(tmp_path, workers=3, XCOM_AUTH="any", XCOM_TOKEN_KEY_FILE=key) as server:
        body = json.dumps({"username": "ann", "password": PASSWORD}).encode()
        request = Request(f"{server.url}/auth/token", body, {"Content-Type": "application/json"})
        with urlopen(request) as response:
            headers = {"Authorization": f"Bearer {json.loads(response.read())['access_token']}"}
        for _ in range(12):
            with urlopen(Request(f"{server.url}/api/v2/{ENTRIES}", headers=headers)) as response:
                assert response.status == 200

    assert PASSWORD not in server.log.read_text()


@pytest.mark.parametrize(
    ("users", "auth", "message"),
    [
        (f"ann:{PASSWORD}:root", "users", "xcom-server: XCOM_USERS: user 1 must be NAME:PASSWORD"),
        (
            f"ann:{PASSWORD}:op",
            "none",
            "Error: XCOM_USERS requires credentials of its users, so XCOM_AUTH must not be none.\n",
        ),
    ],
)
def test_error_of_unusable_users_does_not_show_the_password(
    tmp_path: Path, users: str, auth: str, message: str
) -> None:
    result: subprocess.CompletedProcess[str] = xcom_server(
        tmp_path, "serve", XCOM_USERS=users, XCOM_AUTH=auth, XCOM_BIND="127.0.0.1:0"
    )

    assert result.returncode == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert PASSWORD not in result.stderr + result.stdout


def test_user_commands_warn_that_the_server_does_not_read_the_file(tmp_path: Path) -> None:
    result = xcom_server(tmp_path, "user", "list", XCOM_USERS=f"ann:{PASSWORD}:op")

    assert result.stderr.startswith(
        "Warning: with XCOM_USERS, the server does not read the users file.\n"
    )
    assert PASSWORD not in result.stderr
