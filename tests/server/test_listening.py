"""The port file and the printed URL, which name the address that the server listens on."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import psutil
import pytest
from xcom_server.server import listening
from xcom_server.settings import Settings

from tests.support.commands import xcom_server
from tests.support.waiting import SECONDS, until


class Listener:
    def __init__(self, address: object, url: str) -> None:
        self._address = address
        self._url = url

    def getsockname(self) -> object:
        return self._address

    def __str__(self) -> str:
        return self._url


LOOPBACK = Listener(("127.0.0.1", 80), "http://127.0.0.1:80")


@pytest.mark.parametrize(
    ("shown", "url"),
    [
        ("http://127.0.0.1:80", "http://127.0.0.1:80"),
        ("http://0.0.0.0:80", "http://127.0.0.1:80"),
        ("http://[::]:80", "http://127.0.0.1:80"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("unix:/run/x", "unix:/run/x"),
    ],
)
def test_printed_url_can_be_used_by_a_client(
    shown: str, url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    listening.publish(Settings(print_url=True, base_path="/airflow"), [Listener((), shown)])

    assert capsys.readouterr().out == f"{url}/airflow\n"


def test_nothing_is_published_by_default(capsys: pytest.CaptureFixture[str]) -> None:
    listening.remove_old_port_file(Settings())
    listening.publish(Settings(), [LOOPBACK])

    assert capsys.readouterr().out == ""


def test_unix_socket_has_no_port(tmp_path: Path) -> None:
    with pytest.raises(listening.NotPublished) as error:
        listening.publish(
            Settings(port_file=str(tmp_path / "port")), [Listener("/run/x", "unix:/run/x")]
        )

    assert str(error.value) == "XCOM_PORT_FILE: unix:/run/x has no port. Listen on HOST:PORT."
    assert list(tmp_path.iterdir()) == []


def test_port_file_that_cannot_be_removed_is_one_line(tmp_path: Path) -> None:
    stopped = xcom_server(tmp_path, "serve", "--port-file", str(tmp_path), "--bind", "127.0.0.1:0")

    assert stopped.returncode == 1
    assert stopped.stderr.endswith(f"xcom-server: cannot write to {tmp_path}: Is a directory.\n")
    assert "Traceback" not in stopped.stderr


def test_folder_of_the_port_file_must_exist(tmp_path: Path) -> None:
    path = tmp_path / "no" / "port"

    with pytest.raises(listening.NotPublished, match=f"cannot write to {path}: No such file"):
        listening.publish(Settings(port_file=str(path)), [LOOPBACK])


def in_a_process(code: str, path: Path) -> None:
    """Publish the port in a process of its own, run some code, and let the process end."""
    script = (
        "import os, socket, sys\n"
        "from pathlib import Path\n"
        "from xcom_server.server import listening\n"
        "from xcom_server.settings import Settings\n"
        "path = Path(sys.argv[1])\n"
        "with socket.create_server(('127.0.0.1', 0)) as listener:\n"
        "    listening.publish(Settings(port_file=str(path)), [listener])\n"
        f"{code}\n"
    )
    subprocess.run([sys.executable, "-c", script, path], check=True, timeout=SECONDS)


@pytest.mark.parametrize(
    ("code", "left"),
    [
        ("assert path.read_text()[-1] == '\\n'; assert int(path.read_text())", False),
        ("path.unlink(); path.write_text('1')", True),  # another server has replaced it
        ("path.unlink()", False),
        ("os.fork() or sys.exit()\nos.wait()\nassert path.exists()", False),  # a worker ends
    ],
    ids=["own", "replaced", "removed", "worker"],
)
def test_port_file_is_removed_at_exit_by_the_process_that_wrote_it(
    tmp_path: Path, code: str, left: bool
) -> None:
    path = tmp_path / "port"
    in_a_process(code, path)

    assert path.exists() is left


@pytest.fixture
def process(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """Yield a server on a free port; the file `port` has the port of an earlier server."""
    (tmp_path / "port").write_text("1\n", encoding="utf-8")
    command = [sys.executable, "-m", "xcom_server", "serve", "--bind", "127.0.0.1:0"]
    options = ["--workers", "1", "--drain-seconds", "0", "--port-file", "port", "--print-url"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [*command, *options],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    with process:
        yield process
        process.kill()


@pytest.mark.slow
def test_server_on_a_free_port_can_be_found(
    process: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    assert process.stdout is not None
    url = process.stdout.readline().rstrip("\n")

    assert (tmp_path / "port").read_text() == f"{url.rpartition(':')[2]}\n"
    with urlopen(f"{url}/live", timeout=SECONDS) as response:
        assert response.status == 200
    (worker,) = psutil.Process(process.pid).children()
    os.kill(worker.pid, signal.SIGTERM)
    until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    assert (tmp_path / "port").exists()
    process.terminate()
    assert process.wait(SECONDS) == 0
    assert process.stdout.read() == ""
    assert not (tmp_path / "port").exists()
