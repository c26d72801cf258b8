"""Truncated and wrongly framed bodies are rejected as client errors."""

import socket
from contextlib import suppress

import pytest

from tests.support.live_server import LiveServer
from tests.support.v1_calls import entries, entry

PATH = entries(dag_id="broken-bodies")
JSON = b'{"key": "k", "value": "v"}'
LIMIT = 1024 * 1024


def exchange(server: LiveServer, method: str, path: str, headers: str, body: bytes) -> bytes:
    """Send raw bytes, shut down the sending side, and return the status line."""
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head.encode())
        with suppress(OSError):  # the server may close the connection early
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").readline()


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""])


def stored(server: LiveServer) -> bool:
    return b" 200 " in exchange(server, "GET", entry("k", dag_id="broken-bodies"), "", b"")


TYPE = "Content-Type: application/json\r\n"
CHUNKED = f"{TYPE}Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    "body",
    [
        b"zz\r\n{}\r\n0\r\n\r\n",
        b"-5\r\n{}\r\n0\r\n\r\n",
        b"0x5\r\n{}\r\n0\r\n\r\n",
        b"\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}XX0\r\n\r\n",
        b"5\r\n{}",
    ],
)
@pytest.mark.parametrize("method", ["POST", "PATCH", "GET", "DELETE"])
def test_malformed_chunks_are_a_client_error(server: LiveServer, method: str, body: bytes) -> None:
    path = PATH if method == "POST" else entry("k", dag_id="broken-bodies")

    status = exchange(server, method, path, CHUNKED, body)

    expected = (b" 400 ",) if method in ("POST", "PATCH") else (b" 400 ", b" 404 ")
    assert any(each in status for each in expected), status
    assert not stored(server)


def test_truncated_body_is_rejected(server: LiveServer) -> None:
    for length in (len(JSON) + 1, LIMIT):
        status = exchange(server, "POST", PATH, f"{TYPE}Content-Length: {length}\r\n", JSON)

        assert b" 400 " in status
        assert not stored(server)


@pytest.mark.parametrize("tail", [b"", b"GARBAGE", b" " * LIMIT])
def test_oversized_chunked_body_is_rejected_not_truncated(server: LiveServer, tail: bytes) -> None:
    body = chunked(JSON + b" " * (LIMIT - len(JSON)), b" " + tail)

    assert b" 413 " in exchange(server, "POST", PATH, CHUNKED, body)
    assert not stored(server)


def test_chunked_body_is_read_completely(server: LiveServer) -> None:
    path = entries(dag_id="chunked")

    assert b" 200 " in exchange(server, "POST", path, CHUNKED, chunked(JSON[:9], JSON[9:]))
