"""The worker's use of gunicorn: each failure names the changed member and the fix."""

import json
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from gunicorn.config import Config
from xcom_server.server.gunicorn_worker import BufferedWorker

from tests.support.in_process_worker import RecordingLog, prepared, responses, run_with
from tests.support.slow_clients import read_to_end

FIX = "Adapt BufferedWorker in server/gunicorn_worker.py."
GET = b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"


def echo(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    """Respond with the path and the body of the request."""
    text = environ["PATH_INFO"].encode() + b":" + environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[BufferedWorker]:
    monkeypatch.setenv("XCOM_MAX_BODY_BYTES", "1000")
    config = Config()
    config.set("logger_class", RecordingLog)
    config.set("keepalive", 600)
    with prepared(BufferedWorker, config) as made:
        made.wsgi = echo
        yield made


def bodies(received: bytes) -> list[bytes]:
    return [each.partition(b"\r\n\r\n")[2] for each in received.split(b"HTTP/1.1 200 OK")[1:]]


def test_pipelined_requests_are_answered_in_order(worker: BufferedWorker) -> None:
    sent = [GET % number for number in range(20)]
    sent.insert(5, POST + b"Content-Length: 3\r\n\r\nabc")
    sent.insert(9, POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1\r\nf\r\n0\r\n\r\n")

    found = bodies(responses(worker, b"".join(sent)))

    expected = [b"/%d:" % number for number in range(20)]
    expected.insert(5, b"/:abc")
    expected.insert(9, b"/:def")
    assert found == expected, "gunicorn's parser or responses have other members. " + FIX


def test_body_that_is_not_read_is_skipped(worker: BufferedWorker) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Length", "1")])
        return [b"-"]

    worker.wsgi = application
    smuggled = GET % 1
    length = b"Content-Length: %d\r\n\r\n" % len(smuggled)

    assert bodies(responses(worker, POST + length + smuggled, GET % 2)) == [b"-", b"-"]


@pytest.mark.parametrize("pause", [0, 0.2], ids=["with the head", "later"])
def test_100_continue_is_sent_once_if_the_body_is_not_there(
    worker: BufferedWorker, pause: float
) -> None:
    def talk(client: socket.socket) -> bytes:
        head = POST + b"Expect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
        if not pause:
            client.sendall(head + b"abc")
            return client.makefile("rb").read()
        client.sendall(head)
        first = client.recv(1000)
        time.sleep(pause)
        client.sendall(b"abc")
        return first + client.makefile("rb").read()

    received = run_with(worker, talk)

    assert received.count(b"HTTP/1.1 100 Continue\r\n\r\n") == (1 if pause else 0), (
        "gunicorn's Request._expected_100_continue has another name. " + FIX
    )
    assert bodies(received) == [b"/:abc"]


CLOSED = [
    (b"GET / HTTP/1.1\r\n\r\n", b"400 Bad Request"),
    (b"GET / HTTP/1.1\nHost: x\n\n", b"400 Bad Request"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"400 Bad Request"),
    (b"\r\n\r\n", b"400 Bad Request"),
    (b"GET /" + b"x" * 9000, b"414 URI Too Long"),
    (b"GET / HTTP/1.1\r\n" + b"A: " + b"x" * 9000 + b"\r\n\r\n", b"431 Request Header"),
    (b"GET / HTTP/1.1\r\n" + (b"A: " + b"x" * 1000 + b"\r\n") * 70, b"431 Request Header"),
    (POST + b"Transfer-Encoding: x\r\n\r\n", b"501 "),
    (POST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", b"400 Bad Request"),
    (POST + b"Expect: x\r\n\r\n", b"417 "),
    (POST + b"Content-Length: 1001\r\n\r\n", b"200 OK"),
    (POST + b"Content-Length: 1001\r\nExpect: 100-continue\r\n\r\n", b"200 OK"),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\n\r\n", b"200 OK"),
    (b"GET / HTTP/1.0\r\n\r\n", b"200 OK"),
    (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200 OK"),
]


@pytest.mark.parametrize(("sent", "status"), CLOSED)
def test_response_before_the_end_of_a_connection_says_so(
    worker: BufferedWorker, sent: bytes, status: bytes
) -> None:
    """The client sends no end of its input."""

    def talk(client: socket.socket) -> bytes:
        client.sendall(sent)
        return read_to_end(client)

    received = run_with(worker, talk)

    assert received[9:].startswith(status), received
    assert received.count(b"HTTP/1.") == received.count(b"\r\nConnection: close\r\n") == 1, received


def test_request_without_host_runs_no_application(worker: BufferedWorker) -> None:
    worker.wsgi = lambda *_: pytest.fail("the application runs")

    assert b"400 Bad Request" in responses(worker, b"GET / HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"G\xe9T / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (POST + b'Transfer-Encoding: <b>"\r\n\r\n', 501),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 9000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 70_000, 431),
    ],
    ids=["method", "Host", "coding", "target", "header", "headers"],
)
def test_request_that_gunicorn_rejects_is_a_problem_document(
    worker: BufferedWorker, sent: bytes, status: int
) -> None:
    head, _, body = responses(worker, sent).partition(b"\r\n\r\n")

    assert head.startswith(b"HTTP/1.1 %d " % status), head
    assert b"Content-Type: application/problem+json\r\n" in head, "write_error changed. " + FIX
    assert b"Connection: close\r\n" in head
    problem = json.loads(body)
    assert problem.keys() == {"detail", "status", "title", "type"}
    assert problem["status"] == status
    assert problem["detail"]


def test_failing_application_is_a_500(worker: BufferedWorker) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        raise ZeroDivisionError

    worker.wsgi = application

    assert responses(worker, GET % 2).startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert any("Error handling request" in str(line) for line in worker.log.lines)


def test_cut_off_response_has_no_second_one(worker: BufferedWorker) -> None:
    def application(environ: dict[str, Any], start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Length", "9")])
        yield b"abc"
        raise ZeroDivisionError

    worker.wsgi = application

    received = responses(worker, GET % 1)

    assert (received.count(b"HTTP/1.1"), received[-7:]) == (1, b"\r\n\r\nabc")


@pytest.mark.parametrize(
    ("name", "value"), [("certfile", "x"), ("proxy_protocol", "auto"), ("protocol", "uwsgi")]
)
def test_protocols_that_the_worker_does_not_read_are_rejected(name: str, value: str) -> None:
    config = Config()
    config.set(name, value)

    with pytest.raises(RuntimeError, match="reads only plain HTTP/1"):
        BufferedWorker.check_config(config, RecordingLog())
