"""Running a server as a process group that ends with the context manager."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple
from urllib.error import HTTPError
from urllib.request import Request as HttpRequest
from urllib.request import urlopen

from bench.operations import Request

START_SECONDS = 180
STOP_SECONDS = 40
"""More than the 30 seconds that Airflow gives its own workers."""


class Answer(NamedTuple):
    """The status and the body of a response."""

    status: int
    body: bytes


def ask(url: str, request: Request, headers: dict[str, str]) -> Answer:
    """Make one request on a new connection; error statuses are returned, not raised."""
    with_type = headers | ({"Content-Type": "application/json"} if request.body else {})
    try:
        with urlopen(
            HttpRequest(url + request.path, request.body or None, with_type, method=request.method),
            timeout=60,
        ) as answer:
            return Answer(answer.status, answer.read())
    except HTTPError as error:
        with error:
            return Answer(error.code, error.read())


def free_port() -> int:
    """Return a loopback port that was free just now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(
    command: Sequence[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server with its output in server.log, and stop its whole process group afterwards."""
    with (folder / "server.log").open("wb") as log:
        started = subprocess.Popen(
            command,
            env=environment,
            cwd=folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            yield started
        finally:
            _stop(started)


def until_answered(
    started: subprocess.Popen[bytes], answered: Callable[[], bool], log: Path
) -> None:
    """Wait until `answered` returns true; an OSError means that the server is not ready.

    Raises RuntimeError if the process ends, or after START_SECONDS.
    """
    deadline = time.monotonic() + START_SECONDS
    while started.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            if answered():
                return
        time.sleep(0.05)
    raise RuntimeError(f"no answer from {started.args!r}:\n{log.read_text()[-5000:]}")


def _stop(started: subprocess.Popen[bytes]) -> None:
    """Terminate the leader gracefully, then kill the rest of its group."""
    started.terminate()
    with suppress(subprocess.TimeoutExpired):
        started.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(STOP_SECONDS)
    _wait_for_group(started.pid)


def _wait_for_group(group: int) -> None:
    """Wait until a killed group has no processes, for 5 s at most because of zombies."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
