"""Commands and the server in unusual surroundings: they work, or report one line."""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.support.cli import outcome, run_command
from tests.support.commands import XCOM_SERVER, run, xcom_server
from tests.support.live_server import LiveServer
from tests.support.paths import ROOT

ENTRIES = "/dags/d/dagRuns/r/taskInstances/t/xcomEntries"
ROWS = [{"dag_id": "d", "run_id": "r", "task_id": "t", "key": "k", "value": 1}]
BOM = b"\xef\xbb\xbf"
# Each command, and the exit status without standard input.
COMMANDS = {
    "--version": 0,
    "serve --help": 0,
    "db upgrade": 0,
    "export --all": 0,
    "seed rows.json": 0,
    "seed -": 1,
    "user list": 0,
    "user add ann --role op": 1,
}
LOCKS = {"xcom.db-queue", "xcom.db-turn"}
ODD = {
    "PROMETHEUS_MULTIPROC_DIR": "",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "ascii",
    "PYTHONOPTIMIZE": "2",
    "PYTHONPATH": "/nonexistent",
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
    "PYTHONWARNINGS": "error",
    "LC_ALL": "POSIX",
    "TZ": "Nowhere/Odd",
    "HOME": "/nonexistent",
    "PATH": "/nonexistent",
    "TMPDIR": "/nonexistent",
    "WEB_CONCURRENCY": "",
    "http_proxy": "x",
}


@pytest.mark.parametrize("is_file", [True, False])
def test_seed_file_may_start_with_a_byte_order_mark(tmp_path: Path, is_file: bool) -> None:
    file = tmp_path / "rows.json"
    file.write_bytes(BOM + json.dumps(ROWS).encode())
    environ = {"XCOM_DATABASE_URL": f"sqlite:///{tmp_path}/xcom.db"}

    result = run_command(
        "seed", str(file) if is_file else "-", stdin=file.read_bytes(), environ=environ
    )

    assert outcome(result) == (0, "Seeded 1 entry and 0 DAG runs.\n", "")


def test_users_file_may_start_with_a_byte_order_mark(tmp_path: Path) -> None:
    (tmp_path / "users.json").write_bytes(BOM + b'{"users": {}}')

    result = run_command("user", "list", environ={"XCOM_USERS_FILE": f"{tmp_path}/users.json"})

    assert outcome(result) == (0, "", "")


@pytest.fixture
def folder(tmp_path: Path, empty_database: Path) -> Path:
    (tmp_path / "rows.json").write_text(json.dumps(ROWS), encoding="utf-8")
    (tmp_path / "xcom-users.json").write_text('{"users": {}}', encoding="utf-8")
    shutil.copy(empty_database, tmp_path / "xcom.db")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize(("command", "status"), COMMANDS.items())
@pytest.mark.parametrize("closed", ["<&-", "<&- >&- 2>&-"])
def test_command_runs_with_closed_streams(
    folder: Path, command: str, status: int, closed: str
) -> None:
    """A file that is opened in place of a stream would get the output of the command."""
    result = run("sh", "-c", f"{shlex.quote(XCOM_SERVER)} {command} {closed}", cwd=folder)

    assert result.returncode == status
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == (status if closed == "<&-" else 0)
    assert {path.name for path in folder.iterdir()} - LOCKS == {
        "rows.json",
        "xcom-users.json",
        "xcom.db",
    }


@pytest.mark.slow
@pytest.mark.parametrize("command", ["--version", "export"])
def test_output_to_a_full_disk_is_an_error_of_one_line(folder: Path, command: str) -> None:
    result = run("sh", "-c", f"{shlex.quote(XCOM_SERVER)} {command} >/dev/full", cwd=folder)

    assert (result.returncode, result.stderr) == (1, "Error: No space left on device\n")


@contextmanager
def removed_folder(path: Path) -> Iterator[Path]:
    """Yield a new folder, which the test's command has to remove."""
    path.mkdir()
    yield path
    assert not path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("command", ["export", "serve", "user add ann --role op"])
def test_removed_current_directory_is_an_error_of_one_line(tmp_path: Path, command: str) -> None:
    with removed_folder(tmp_path / "gone") as gone:
        result = run(
            "sh", "-c", f"rmdir {gone}; echo pw | {shlex.quote(XCOM_SERVER)} {command}", cwd=gone
        )

    assert (result.returncode, result.stderr) == (
        1,
        "Error: the current directory does not exist\n",
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("export", "xcom.db: the file does not exist"),
        ("db upgrade", "xcom.db: the file cannot be created: Read-only file system"),
        ("user add ann --role op", "xcom-users.json cannot be used: Read-only file system"),
        ("serve", "xcom.db: the file cannot be created: Read-only file system"),
    ],
)
def test_read_only_current_directory_is_an_error_of_one_line(
    tmp_path: Path, command: str, words: str
) -> None:
    if run("mount", "-t", "tmpfs", "-o", "ro", "none", str(tmp_path)).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        result = run("sh", "-c", f"echo pw | {shlex.quote(XCOM_SERVER)} {command}", cwd=tmp_path)
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)

    *others, line = result.stderr.strip().splitlines()
    assert result.returncode == 1
    assert line.endswith(words)
    assert all("[INFO]" in other for other in others)


def post(server: LiveServer, key: str) -> int:
    body = json.dumps({"key": key, "value": "1"}).encode()
    request = Request(
        server.api + ENTRIES, body, {"Content-Type": "application/json"}, method="POST"
    )
    with urlopen(request, timeout=30) as response:
        return int(response.status)


@pytest.mark.slow
def test_server_runs_with_unusual_variables(tmp_path: Path) -> None:
    with LiveServer(tmp_path, workers=1, command=None, **ODD) as server:
        assert post(server, "k") == 200
        with urlopen(f"{server.url}/metrics", timeout=30) as response:
            assert b"xcom_requests_total{" in response.read()


@pytest.mark.slow
def test_server_runs_with_closed_streams(tmp_path: Path) -> None:
    command = tmp_path / "closed.sh"
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(XCOM_SERVER)} "$@" <&- >&- 2>&-\n')
    command.chmod(0o700)

    with LiveServer(tmp_path, workers=1, command=command) as server:
        assert post(server, "k") == 200

    assert server.log.read_text() == ""
    files = {path.name for path in tmp_path.iterdir()} - LOCKS
    assert files == {"closed.sh", "server.log", "xcom.db"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("variable", "text", "words"),
    [
        ("PROMETHEUS_MULTIPROC_DIR", "/etc/passwd", "(/etc/passwd: File exists)"),
        ("PROMETHEUS_MULTIPROC_DIR", "/proc/x", "(/proc/x: No such file or directory)"),
        ("GUNICORN_CMD_ARGS", "--bind 'x", "GUNICORN_CMD_ARGS: No closing quotation"),
        ("GUNICORN_CMD_ARGS", "--nothing", "GUNICORN_CMD_ARGS: unrecognized arguments: --nothing"),
        ("GUNICORN_CMD_ARGS", "--workers x", "GUNICORN_CMD_ARGS: argument -w/--workers: invalid"),
        ("LISTEN_FDS", "x", "the variable LISTEN_FDS must be a number, not 'x'."),
        ("GUNICORN_FD", "x", "the variable GUNICORN_FD must be a number, not 'x'."),
    ],
)
def test_invalid_variable_is_reported_in_one_line(
    tmp_path: Path, variable: str, text: str, words: str
) -> None:
    result = xcom_server(tmp_path, "serve", **{variable: text})

    assert result.returncode == 1
    (line,) = result.stderr.strip().splitlines()
    assert line.startswith("Error: ")
    assert words in line


def test_make_installs_into_its_environment() -> None:
    given = {"PIP_USER": "1", "PIP_TARGET": "x", "PYTHONPATH": "x", "PYTHONHOME": "x"}
    shown = subprocess.run(
        ["make", "--eval", "show: ; @env", "show"],
        cwd=ROOT,
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        check=True,
    )

    lines = shown.stdout.splitlines()
    assert "PIP_USER=0" in lines
    assert not any(line.startswith(("PIP_TARGET=", "PYTHONPATH=", "PYTHONHOME=")) for line in lines)
