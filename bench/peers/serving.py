"""A peer's server, as a process group of its own that ends with the context manager."""

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
"""Longer than the half minute that Airflow gives its own workers."""


class Answer(NamedTuple):
    """What came back."""

    status: int
    body: bytes


def ask(url: str, request: Request, headers: dict[str, str]) -> Answer:
    """Make one request on a connection of its own, whatever its answer is."""
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
    """Return a port of loopback that nobody listened on a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def process(
    command: Sequence[str], environment: dict[str, str], folder: Path
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a server whose output goes into the folder, and end its whole process group."""
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
    """Return once it is answered; an error of the network means that it is not yet."""
    deadline = time.monotonic() + START_SECONDS
    while started.poll() is None and time.monotonic() < deadline:
        with suppress(OSError):
            if answered():
                return
        time.sleep(0.05)
    raise RuntimeError(f"no answer from {started.args!r}:\n{log.read_text()[-5000:]}")


def _stop(started: subprocess.Popen[bytes]) -> None:
    """End the leader in an orderly way, and then what is left of its group."""
    started.terminate()
    with suppress(subprocess.TimeoutExpired):
        started.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait(STOP_SECONDS)
    _wait_for_group(started.pid)


def _wait_for_group(group: int) -> None:
    """Return when no process of a killed group is there, or only what nobody waits for."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.02)
