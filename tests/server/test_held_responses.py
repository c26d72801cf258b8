"""What the application can do to its connection: reset it, hold its response, cut it off."""

import errno
import socket
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from xcom_server.server import clients
from xcom_server.server.gunicorn_worker import BufferedWorker

from tests.support.in_process_worker import RecordingLog, prepared, responses, run_with

FIX = (
    "The WSGI environment has no `gunicorn.socket` that is the connection's Output, or"
    " ThreadWorker.handle_request() catches its errors. Adapt BufferedWorker."
)
GET = b"GET /%b HTTP/1.1\r\nHost: x\r\n\r\n"
HEAD = [("Content-Length", "1000")]

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


@pytest.fixture
def worker() -> Iterator[BufferedWorker]:
    config = Config()
    config.set("logger_class", RecordingLog)
    config.set("threads", 1)
    with prepared(BufferedWorker, config) as made:
        yield made


def reset_before(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    environ["gunicorn.socket"].reset()
    start_response("200 OK", HEAD)
    return [b"x" * 1000]


def reset_without_body(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    start_response("204 No Content", [])
    environ["gunicorn.socket"].reset()
    return []


def received(client: socket.socket) -> bytes:
    """Return what a client gets until the end, `reset` if the connection is reset."""
    try:
        return client.makefile("rb").read()
    except ConnectionResetError:
        return b"reset"


@pytest.mark.parametrize("application", [reset_before, reset_without_body])
def test_client_gets_a_reset_and_no_byte_of_the_response(
    worker: BufferedWorker, application: Application
) -> None:
    def talk(client: socket.socket) -> bytes:
        client.sendall(GET % b"")
        return received(client)

    worker.wsgi = application

    assert run_with(worker, talk) == b"reset", FIX
    assert "Socket error processing request." not in worker.log.lines


def test_response_that_fails_in_the_middle_ends_with_fin(worker: BufferedWorker) -> None:
    def cut_off() -> Iterator[bytes]:
        yield b"x" * 300
        raise ConnectionResetError(errno.ECONNRESET, "cut off")

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", HEAD)
        return cut_off()

    worker.wsgi = application
    head, _, body = responses(worker, GET % b"").partition(b"\r\n\r\n")

    assert b"Content-Length: 1000" in head, FIX
    assert body == b"x" * 300, FIX


def hold(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Hold the response for the seconds in the path."""
    path = environ["PATH_INFO"]
    environ["gunicorn.socket"].hold(float(path[1:]))
    start_response("200 OK", [("Content-Length", str(len(path)))])
    return [path.encode()]


def test_responses_are_sent_after_their_time_in_their_order(worker: BufferedWorker) -> None:
    worker.wsgi = hold
    start = time.monotonic()

    found = responses(worker, GET % b"0.2", GET % b"0.1", GET % b"0")

    assert time.monotonic() - start >= 0.3
    assert [each[-4:].strip() for each in found.split(b"HTTP/1.1 200 OK")[1:]] == [
        b"/0.2",
        b"/0.1",
        b"/0",
    ], FIX


def test_held_response_needs_no_thread_and_is_sent_when_the_worker_stops(
    worker: BufferedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The only thread serves another request meanwhile."""
    monkeypatch.setattr(clients, "STOP_SECONDS", 0.1)
    worker.wsgi = hold

    def talk(client: socket.socket) -> bytes:
        client.sendall(GET % b"50")
        with socket.create_connection(client.getpeername(), timeout=30) as other:
            other.sendall(GET % b"0")
            assert other.recv(1000).endswith(b"/0"), FIX
        worker.handle_exit(15, None)
        return received(client)

    assert run_with(worker, talk).endswith(b"/50")


def test_client_that_disconnects_meanwhile_is_forgotten(worker: BufferedWorker) -> None:
    worker.wsgi = hold

    def talk(client: socket.socket) -> bytes:
        with socket.create_connection(client.getpeername(), timeout=30) as gone:
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            gone.sendall(GET % b"0.3")
        client.sendall(GET % b"0.6")
        return client.recv(1000)

    assert run_with(worker, talk).endswith(b"/0.6")
    assert len(worker.clients) == 0
