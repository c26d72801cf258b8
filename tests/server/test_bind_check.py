"""Without users the server only listens on loopback; with users it needs a users file and a key.

No test serves on other addresses: the server exits before it listens, and the addresses that are
allowed with users are checked by calling the hook, which binds nothing.
"""

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest

from tests.support.commands import XCOM_SERVER, run, xcom_server
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
        print(json.dumps(on_starting(SimpleNamespace(cfg=cfg, master_pid=0))))
    except SystemExit as refusal:
        print(json.dumps(refusal.code))
"""

PUBLIC: list[Any] = [
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
LOOPBACK: list[Any] = [["127.0.0.1", 80], ["127.0.0.2", 80], ["localhost", 80], ["::1", 80]]


def wait_for_start(process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait until the only worker responds: gunicorn ignores signals before that."""
    until(
        lambda: process.poll() is not None or "xcom-server is ready at" in log.read_text(),
        why=log.read_text,
    )
    assert process.poll() is None, log.read_text()
    address = re.search("is ready at (http://[^/]+)/", log.read_text())
    assert address is not None, log.read_text()
    with urlopen(f"{address[1]}/health", timeout=30) as response:
        assert response.status == 200


def refusals(folder: Path, addresses: list[Any], **environ: str) -> dict[str, str | None]:
    """Return address -> the reason why the server would not start there, or None."""
    result = run(
        sys.executable,
        "-c",
        ON_STARTING,
        json.dumps(addresses),
        cwd=folder,
        env={**os.environ} | environ,
    )
    lines = map(json.loads, result.stdout.splitlines())
    return dict(zip(map(str, addresses), lines, strict=True))


def test_public_address_is_rejected_without_users(tmp_path: Path) -> None:
    found = refusals(tmp_path, PUBLIC)

    assert {address for address, reason in found.items() if reason is None} == set()
    assert all(str(reason).startswith(REFUSAL) for reason in found.values())


def test_loopback_is_accepted_without_users(tmp_path: Path) -> None:
    assert refusals(tmp_path, LOOPBACK) == dict.fromkeys(map(str, LOOPBACK))


def test_every_address_is_accepted_with_users(tmp_path: Path, users_file: Path) -> None:
    found = refusals(tmp_path, PUBLIC + LOOPBACK, XCOM_AUTH="users")

    assert found == dict.fromkeys(map(str, PUBLIC + LOOPBACK))


@pytest.mark.parametrize("bind", ["0.0.0.0:0", "[::]:0", "0:0", "unix:x.sock", "unix:@x"])
@pytest.mark.parametrize("source", ["option", "variable", "gunicorn"])
def test_server_exits_before_listening_on_a_public_address(
    tmp_path: Path, bind: str, source: str
) -> None:
    options = {"option": ["serve", "--bind", bind]}.get(source, ["serve"])
    environ = {
        "option": {},
        "variable": {"XCOM_BIND": bind},
        "gunicorn": {"GUNICORN_CMD_ARGS": f"--bind {bind}"},
    }[source]

    result = xcom_server(tmp_path, *options, **environ)

    assert result.returncode == 1
    assert REFUSAL in result.stderr
    assert f": {REASON}. Listen on 127.0.0.1, or add users" in result.stderr
    assert "xcom-server user add NAME --role ROLE" in result.stderr
    assert "Listening at" not in result.stderr
    assert "Traceback" not in result.stderr
    assert not (tmp_path / "x.sock").exists()


@pytest.fixture(params=["0.0.0.0", "::", "unix"])
def bound(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[socket.socket]:
    """Yield a socket that is bound to a public address and does not listen."""
    addresses: dict[str, tuple[int, Any]] = {
        "0.0.0.0": (socket.AF_INET, ("0.0.0.0", 0)),
        "::": (socket.AF_INET6, ("::", 0)),
        "unix": (socket.AF_UNIX, str(tmp_path / "x.sock")),
    }
    family, address = addresses[request.param]
    with socket.socket(family) as listener:
        listener.bind(address)
        yield listener


def test_inherited_socket_is_checked(tmp_path: Path, bound: socket.socket) -> None:
    result = run(
        XCOM_SERVER,
        "serve",
        "--bind",
        f"fd://{bound.fileno()}",
        cwd=tmp_path,
        pass_fds=[bound.fileno()],
    )

    assert result.returncode == 1
    assert REFUSAL in result.stderr
    assert "Listening at" not in result.stderr
    assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) == 0


def test_systemd_socket_is_checked_before_any_response(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "x.sock"))
        script = f'exec 3<&{listener.fileno()}; LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" serve'
        result = run("bash", "-c", script, XCOM_SERVER, cwd=tmp_path, pass_fds=[listener.fileno()])

    assert result.returncode != 0
    assert REFUSAL in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("bind", ["fd://99", "fd://0", "fd://x"])
def test_invalid_socket_fails_without_a_traceback(tmp_path: Path, bind: str) -> None:
    result = xcom_server(tmp_path, "serve", "--bind", bind)

    assert result.returncode != 0
    assert "Traceback" not in result.stderr


def test_reload_checks_the_new_address(tmp_path: Path) -> None:
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


def test_environment_set_by_gunicorn_is_checked(tmp_path: Path, users_file: Path) -> None:
    result = xcom_server(
        tmp_path,
        "serve",
        XCOM_AUTH="users",
        XCOM_BIND="unix:x.sock",
        GUNICORN_CMD_ARGS="-e XCOM_AUTH=none",
    )

    assert result.returncode == 1
    assert REFUSAL in result.stderr
    assert not (tmp_path / "x.sock").exists()


@pytest.mark.parametrize("bind", ["127.0.0.1:0", "localhost:0", "[::1]:0"])
def test_server_serves_loopback_without_users(tmp_path: Path, bind: str) -> None:
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
