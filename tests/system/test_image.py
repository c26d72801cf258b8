"""The image without Docker: it builds, serves, passes its health check and stops.

The commands, variables, health check and signal are read from the Dockerfile and used in a separate
environment with other folders. Not tested are Docker itself, the base image, the user, and the
folder that is created for that user.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest
import yaml

from tests.support.commands import BUILD_SECONDS, run
from tests.support.databases import emptied
from tests.support.dockerfile import copy_context, moved, stages
from tests.support.http_client import status
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.slow

BUILD, FINAL = stages()
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]
PASSWORD = "correct horse"
TIMEOUT_SECONDS = 60
ENTRIES = "/api/v1/dags/~/dagRuns/~/taskInstances/~/xcomEntries"


@dataclass(frozen=True)
class Image:
    """The result of the Dockerfile, with its files under `root`."""

    root: Path

    def environ(self, port: int = 8080, /, **more: str) -> dict[str, str]:
        """Return the variables of a container, except that it listens on loopback."""
        environ = {
            name: moved(text, self.root).replace("$PATH", os.environ["PATH"])
            for name, text in FINAL.environ.items()
        }
        return {**environ, "XCOM_BIND": f"127.0.0.1:{port}", **more}

    def run(
        self, environ: Mapping[str, str], *command: str, stdin: str = ""
    ) -> subprocess.CompletedProcess[str]:
        return run(*self.resolved(command), env=environ, cwd=self.home, input=stdin)

    def resolved(self, command: tuple[str, ...] | list[str]) -> list[str]:
        """Return a command with its program looked up in the image's PATH."""
        folder = moved(FINAL.environ["PATH"].split(":")[0], self.root)
        return [str(Path(folder) / command[0]), *command[1:]]

    @property
    def home(self) -> Path:
        return Path(moved(FINAL.only("WORKDIR"), self.root))


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Return the image, built by the commands of the Dockerfile's first stage."""
    root = tmp_path_factory.mktemp("image")
    source = Path(moved(BUILD.only("WORKDIR"), root))
    copy_context(source)
    (root / "opt").mkdir()
    python = Path(sys.executable).parent
    environ = {**os.environ, "PATH": f"{python}:{os.environ['PATH']}"}  # and pip's cache
    for command in BUILD.all("RUN"):
        result = run(
            "sh", "-c", moved(command, root), cwd=source, env=environ, timeout=BUILD_SECONDS
        )
        assert result.returncode == 0, result.stderr
    built = Image(root)
    for folder in (FINAL.only("WORKDIR"), FINAL.environ["XCOM_SEED"]):
        Path(moved(folder, root)).mkdir(parents=True)
    return built


@contextmanager
def container(image: Image, environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run the image's command, and stop it with its signal if it is still running."""
    process = subprocess.Popen(image.resolved(FINAL.command), env=environ, cwd=image.home)
    try:
        yield process
    finally:
        process.send_signal(signal.Signals[FINAL.only("STOPSIGNAL")])
        try:
            process.wait(TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def reserved_port() -> Iterator[int]:
    """Yield a port of loopback that no other process gets.

    A socket that is bound but does not listen keeps the port, and still lets gunicorn listen on
    it, because both set SO_REUSEADDR.
    """
    with closing(socket.socket()) as place:
        place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        place.bind(("127.0.0.1", 0))
        yield place.getsockname()[1]


def is_healthy(image: Image, environ: Mapping[str, str]) -> bool:
    return image.run(environ, *FINAL.healthcheck).returncode == 0


@pytest.mark.parametrize("database", ["its own SQLite", "PostgreSQL, as in compose.yaml"])
def test_container_serves_its_users_and_stops_on_a_signal(
    image: Image, database: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with reserved_port() as port:
        environ = image.environ(port, XCOM_USERS_FILE=str(tmp_path / "users.json"))
        entrypoint = FINAL.entrypoint
        if database.startswith("PostgreSQL"):
            environ["XCOM_DATABASE_URL"] = emptied(request.getfixturevalue("postgres_url"))
            migrated = image.run(environ, *entrypoint, *COMPOSE["migrate"]["command"])
            assert migrated.returncode == 0, migrated.stderr
        added = image.run(
            environ, *entrypoint, "user", "add", "ann", "--role", "viewer", stdin=PASSWORD
        )
        assert added.returncode == 0, added.stderr

        assert not is_healthy(image, environ)
        with container(image, environ) as process:
            until(lambda: process.poll() is not None or is_healthy(image, environ), TIMEOUT_SECONDS)
            assert process.poll() is None
            entries = f"http://127.0.0.1:{port}{ENTRIES}"
            assert status(entries) == 401
            assert status(entries, "ann", PASSWORD) == 200
            process.send_signal(signal.Signals[FINAL.only("STOPSIGNAL")])
            assert process.wait(TIMEOUT_SECONDS) == 0
        assert not is_healthy(image, environ)


def test_container_for_tests_needs_only_a_variable(image: Image, tmp_path: Path) -> None:
    """This is `docker run --env XCOM_USERS=…`: no users file and no other command."""
    with reserved_port() as port:
        environ = image.environ(
            port, XCOM_USERS="ci:correct horse:op", XCOM_USERS_FILE=str(tmp_path / "users.json")
        )
        with container(image, environ) as process:
            until(lambda: process.poll() is not None or is_healthy(image, environ), TIMEOUT_SECONDS)
            entries = f"http://127.0.0.1:{port}{ENTRIES}"
            assert status(entries) == 401
            assert status(entries, "ci", "correct horse") == 200


def test_container_without_users_shows_how_to_add_one(image: Image, tmp_path: Path) -> None:
    environ = image.environ(XCOM_USERS_FILE=str(tmp_path / "users.json"))

    refused = image.run(environ, *FINAL.command)

    assert refused.returncode != 0
    assert "xcom-server user add NAME --role ROLE" in refused.stderr


def test_container_is_reached_over_ipv4_and_ipv6(image: Image, users_file: Path) -> None:
    """The server listens on every address, so this test runs in a network of its own."""
    environ = image.environ(
        XCOM_USERS_FILE=str(users_file),
        XCOM_BIND=FINAL.environ["XCOM_BIND"],
        XCOM_DRAIN_SECONDS="0",
    )
    if run("unshare", "--net", "true").returncode:
        pytest.skip("a network needs root")
    parameters = json.dumps([image.resolved(FINAL.command), image.resolved(FINAL.healthcheck)])

    result = run(
        "unshare",
        "--net",
        sys.executable,
        "-c",
        IN_ITS_NETWORK,
        parameters,
        env=environ,
        cwd=image.home,
    )

    assert json.loads(result.stdout) == {"127.0.0.1": 200, "::1": 200, "health check": 0}


IN_ITS_NETWORK = """
import fcntl, http.client, json, socket, struct, subprocess, sys, time
with socket.socket() as any:  # ifconfig lo up
    fcntl.ioctl(any, 0x8914, struct.pack("16sh", b"lo", 1))
command, check = json.loads(sys.argv[1])

def status(host):
    connection = http.client.HTTPConnection(host, 8080, timeout=30)
    try:
        connection.request("GET", "/live")
        return connection.getresponse().status
    except OSError:
        return 0

server = subprocess.Popen(command)
try:
    while server.poll() is None and not status("127.0.0.1"):
        time.sleep(0.1)
    found = {host: status(host) for host in ("127.0.0.1", "::1")}
    found["health check"] = subprocess.run(check).returncode
finally:
    server.terminate()
    server.wait()
print(json.dumps(found))
"""


def test_wheel_serves_from_another_folder(image: Image, tmp_path: Path) -> None:
    with LiveServer(tmp_path, command=Path(image.resolved(["xcom-server"])[0])) as server:
        for path in (
            "/openapi.json",
            "/openapi.yaml",
            "/ui/",
            "/ui/swagger-ui-bundle.js",
            "/health",
            "/version",
        ):
            with urlopen(server.api + path) as response:
                assert response.status == 200, path
    assert (tmp_path / "xcom.db").exists()
