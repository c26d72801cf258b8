"""The users file and the token key are checked at start, and the workers share the key."""

import json
import stat
from base64 import b64encode
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from xcom_server.auth.users import Role, User, write

from tests.support.commands import xcom_server
from tests.support.live_server import LiveServer
from tests.support.passwords import CHEAP
from tests.support.public_folder import public_folder
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("key", "content", "words"),
    [
        (
            None,
            None,
            "the users file xcom-users.json cannot be used: No such file or directory."
            " Create it with: xcom-server user add NAME --role ROLE",
        ),
        (None, "{bad", "the users file xcom-users.json cannot be used: not JSON"),
        (None, '{"users": {"ann": {"role": "x"}}}', "user 'ann': role must be one of"),
        (
            "short",
            '{"users": {}}',
            "the token key file xcom-token.key has 5 bytes, but at least 64",
        ),
    ],
    ids=["no users file", "not JSON", "unknown role", "short key"],
)
def test_unusable_users_or_key_file_fails_without_a_traceback(
    tmp_path: Path, key: str | None, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "xcom-users.json").write_text(content)
    if key is not None:
        (tmp_path / "xcom-token.key").write_text(key)

    result = xcom_server(tmp_path, "serve", XCOM_AUTH="users", XCOM_BIND="127.0.0.1:0")

    assert result.returncode == 1
    assert words in result.stderr
    assert "Traceback" not in result.stderr
    assert "Listening at" not in result.stderr


def test_unknown_auth_mode_is_rejected(tmp_path: Path) -> None:
    result = xcom_server(tmp_path, "serve", XCOM_AUTH="user")

    assert result.stderr == "Error: XCOM_AUTH must be none, any or users, not 'user'.\n"


def test_key_is_created_once_and_shared_by_the_workers(tmp_path: Path, users_file: Path) -> None:
    body = json.dumps({"username": "ann", "password": "secret"}).encode()
    entries = "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
    for _ in range(2):
        with LiveServer(tmp_path, workers=3, XCOM_AUTH="users") as server:
            key = tmp_path / "xcom-token.key"
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
            with urlopen(
                Request(f"{server.url}/auth/token", body, {"Content-Type": "application/json"})
            ) as response:
                token = json.loads(response.read())["access_token"]
            for _ in range(12):
                with urlopen(
                    Request(server.url + entries, headers={"Authorization": f"Bearer {token}"})
                ) as response:
                    assert response.status == 200
            content = key.read_bytes()

    assert key.read_bytes() == content
    assert token not in server.log.read_text()


def test_exposed_files_are_logged_once_at_start_and_after_a_change() -> None:
    with public_folder() as folder:
        users, key = folder / "xcom-users.json", folder / "xcom-token.key"
        write(users, {"ann": User("ann", Role.VIEWER, CHEAP.hash("secret"))})
        users.chmod(0o644)
        key.write_text("k" * 64)
        key.chmod(0o666)
        with LiveServer(folder, workers=2, XCOM_AUTH="users", XCOM_LOG_FORMAT="json") as server:
            at_start = warnings(server.log)
            users.chmod(0o646)
            until(lambda: status_of_ann(server) == 200 and len(warnings(server.log)) > 2)
            later = warnings(server.log)[2:]

    assert at_start == [
        "Other users can read the users file xcom-users.json: its mode is 0644."
        " Run: chmod o= xcom-users.json",
        "Other users can change the token key file xcom-token.key: its mode is 0666."
        " Run: chmod o= xcom-token.key",
    ]
    assert {*later} == {
        "Other users can change the users file xcom-users.json: its mode is 0646."
        " Run: chmod o= xcom-users.json"
    }


def warnings(log: Path) -> list[str]:
    lines = [line for line in log.read_text().splitlines() if line.startswith("{")]
    records = map(json.loads, lines)
    return [each["message"] for each in records if each["level"] == "WARNING"]


def status_of_ann(server: LiveServer) -> int:
    basic = b64encode(b"ann:secret").decode()
    path = f"{server.api}/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
    with urlopen(Request(path, headers={"Authorization": f"Basic {basic}"})) as response:
        return int(response.status)
