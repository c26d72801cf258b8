"""Without users the server only listens on loopback; with users it needs a users file and a key.

No test serves beyond loopback: a refusal comes before the server listens, and what is allowed with
users is checked by calling the hook, which binds nothing.
"""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
from xcom_server.auth.users import Role, User, write

from tests.support.commands import XCOM_SERVER, run, xcom_server
from tests.support.live_server import LiveServer
from tests.support.passwords import CHEAP
from tests.support.paths import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.slow

REFUSAL = "xcom-server: refusing to listen on "
REASON = "with XCOM_AUTH=none every client is an admin, so only loopback addresses are allowed"

ON_STARTING = """
import json, sys
from types import SimpleNamespace
from xcom_server.server.hooks import on_starting
for address in json.loads(sys.argv[1]):
    address = tuple(address) if isinstance(address, list) else address
    cfg = SimpleNamespace(address=[("127.0.0.1", 0), address], workers=1)
    try:
        print(json.dumps(on_starting(SimpleNamespace(cfg=cfg))))
    except SystemExit as refusal:
        print(json.dumps(refusal.code))
"""

OPEN: list[Any] = [
    ["0.0.0.0", 80],
    ["::", 80],
    ["0", 80],
    ["", 80],
    ["::ffff:0.0.0.0", 80],
    ["192.0.2.1", 80],
    ["fe80::1", 80],
    "/run/x.sock",
    "@abstract",
]
CLOSED: list[Any] = [["127.0.0.1", 80], ["127.0.0.2", 80], ["localhost", 80], ["::1", 80]]


@pytest.fixture
def users_file(tmp_path: Path) -> Path:
    path = tmp_path / "xcom-users.json"
    write(path, {"ann": User("ann", Role.VIEWER, CHEAP.hash("secret"))})
    return path


def wait_for_start(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Return once the one worker of a server answers: gunicorn loses what it is told before."""
    until(
        lambda: process.poll() is not None or "xcom-server is ready at" in log.read_text(),
        why=log.read_text,
    )
    assert process.poll() is None, log.read_text()
    address = re.search("is ready at (http://[^/]+)/", log.read_text())
    assert address is not None, log.read_text()
    with urlopen(f"{address[1]}/health", timeout=30) as answer:
        assert answer.status == 200


def refusals(folder: Path, addresses: list[Any], **environ: str) -> dict[str, str | None]:
    """Return why the server would refuse to start at each address, None where it would not."""
    answer = run(
        sys.executable,
        "-c",
        ON_STARTING,
        json.dumps(addresses),
        cwd=folder,
        env={**os.environ} | environ,
    )
    lines = map(json.loads, answer.stdout.splitlines())
    return dict(zip(map(str, addresses), lines, strict=True))


def test_without_users_every_address_beyond_loopback_is_refused(tmp_path: Path) -> None:
    found = refusals(tmp_path, OPEN)

    assert {address for address, reason in found.items() if reason is None} == set()
    assert all(str(reason).startswith(REFUSAL) for reason in found.values())


def test_without_users_loopback_is_taken(tmp_path: Path) -> None:
    assert refusals(tmp_path, CLOSED) == dict.fromkeys(map(str, CLOSED))


def test_with_users_every_address_is_taken(tmp_path: Path, users_file: Path) -> None:
    found = refusals(tmp_path, OPEN + CLOSED, XCOM_AUTH="users")

    assert found == dict.fromkeys(map(str, OPEN + CLOSED))


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "0:0", "unix:x.sock", "unix:@x"])
@pytest.mark.parametrize("way", ["option", "variable", "gunicorn"])
def test_the_server_ends_before_it_listens_beyond_loopback(
    tmp_path: Path, bind: str, way: str
) -> None:
    options = {"option": ["serve", "--bind", bind]}.get(way, ["serve"])
    environ = {
        "option": {},
        "variable": {"XCOM_BIND": bind},
        "gunicorn": {"GUNICORN_CMD_ARGS": f"--bind {bind}"},
    }[way]

    answer = xcom_server(tmp_path, *options, **environ)

    assert answer.returncode == 1
    assert REFUSAL in answer.stderr
    assert f": {REASON}. Listen on 127.0.0.1, or add users" in answer.stderr
    assert "xcom-server user add NAME --role ROLE" in answer.stderr
    assert "Listening at" not in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "x.sock").exists()


@pytest.fixture(params=["0.0.0.0", "::", "unix"])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a socket that is bound beyond loopback and listens to nobody."""
    addresses: dict[str, tuple[int, Any]] = {
        "0.0.0.0": (socket.AF_INET, ("0.0.0.0", 0)),
        "::": (socket.AF_INET6, ("::", 0)),
        "unix": (socket.AF_UNIX, str(tmp_path / "x.sock")),
    }
    family, address = addresses[request.param]
    with socket.socket(family) as made:
        made.bind(address)
        yield made


def test_a_socket_handed_over_is_looked_at_too(tmp_path: Path, bound: socket.socket) -> None:
    answer = run(
        XCOM_SERVER,
        "serve",
        "--bind",
        f"fd://{bound.fileno()}",
        cwd=tmp_path,
        pass_fds=[bound.fileno()],
    )

    assert answer.returncode == 1
    assert REFUSAL in answer.stderr
    assert "Listening at" not in answer.stderr
    assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0


def test_a_socket_of_systemds_is_looked_at_before_anyone_is_answered(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(tmp_path / "x.sock"))
        script = f'exec 3<&{made.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve'
        answer = run("bash", "-c", script, XCOM_SERVER, cwd=tmp_path, pass_fds=[made.fileno()])

    assert answer.returncode != 0
    assert REFUSAL in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("bind", ["fd://99", "fd://0", "fd://x"])
def test_what_is_no_socket_is_said_in_a_line(tmp_path: Path, bind: str) -> None:
    answer = xcom_server(tmp_path, "serve", "--bind", bind)

    assert answer.returncode != 0
    assert "Traceback" not in answer.stderr


def test_a_reload_opens_no_door(tmp_path: Path) -> None:
    (tmp_path / "bind").write_text("127.0.0.1:0")
    (tmp_path / "own.py").write_text(
        "from xcom_server.server.launch import configure\n"
        "from xcom_server.settings import Settings\n"
        "globals().update(configure(Settings.from_env()))\nbind = open('bind').read()\n"
    )
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "own.py", "-w", "1", "wsgi:app"],
            cwd=tmp_path,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
    try:
        wait_for_start(process, log)
        (tmp_path / "bind").write_text("unix:x.sock")
        process.send_signal(signal.SIGHUP)

        assert process.wait(20) != 0
    finally:
        process.kill()
        process.wait(20)
    assert REFUSAL in log.read_text()


def test_gunicorns_own_way_to_set_variables_is_looked_at(tmp_path: Path, users_file: Path) -> None:
    answer = xcom_server(
        tmp_path,
        "serve",
        XCOM_AUTH="users",
        XCOM_BIND="unix:x.sock",
        GUNICORN_CMD_ARGS="-e XCOM_AUTH=none",
    )

    assert answer.returncode == 1
    assert REFUSAL in answer.stderr
    assert not (tmp_path / "x.sock").exists()


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
def test_the_server_answers_on_loopback_without_users(tmp_path: Path, bind: str) -> None:
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [XCOM_SERVER, "serve", "--bind", bind, "--workers", "1"],
            cwd=tmp_path,
            stdout=output,
            stderr=output,
        )
    try:
        wait_for_start(process, log)
    finally:
        process.terminate()
        process.wait(20)


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
)
def test_users_that_cannot_be_told_are_said_in_a_line(
    tmp_path: Path, key: str | None, content: str | None, words: str
) -> None:
    if content is not None:
        (tmp_path / "xcom-users.json").write_text(content)
    if key is not None:
        (tmp_path / "xcom-token.key").write_text(key)

    answer = xcom_server(tmp_path, "serve", XCOM_AUTH="users", XCOM_BIND="127.0.0.1:0")

    assert answer.returncode == 1
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr
    assert "Listening at" not in answer.stderr


def test_a_way_to_tell_users_that_there_is_not_is_refused(tmp_path: Path) -> None:
    answer = xcom_server(tmp_path, "serve", XCOM_AUTH="user")

    assert answer.stderr == "Error: XCOM_AUTH must be none or users, not 'user'.\n"


def test_the_key_is_made_at_the_first_start_and_shared_by_the_workers(
    tmp_path: Path, users_file: Path
) -> None:
    body = json.dumps({"username": "ann", "password": "secret"}).encode()
    entries = "/api/v2/dags/~/dagRuns/~/taskInstances/~/xcomEntries"
    for _ in range(2):
        with LiveServer(tmp_path, workers=3, XCOM_AUTH="users") as server:
            key = tmp_path / "xcom-token.key"
            assert stat.S_IMODE(key.stat().st_mode) == 0o600
            with urlopen(
                Request(f"{server.url}/auth/token", body, {"Content-Type": "application/json"})
            ) as answer:
                token = json.loads(answer.read())["access_token"]
            for _ in range(12):
                with urlopen(
                    Request(server.url + entries, headers={"Authorization": f"Bearer {token}"})
                ) as answer:
                    assert answer.status == 200
            made = key.read_bytes()

    assert key.read_bytes() == made
    assert token not in server.log.read_text()
