"""Clients that connect and then do not send, or do not read."""

import resource
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from tests.support.live_server import LiveServer

LARGE = "/api/v1/dags/etl/dagRuns/r/taskInstances/t/xcomEntries/large"
_POST = (
    b"POST /api/v1/dags/etl/dagRuns HTTP/1.1\r\nHost: localhost\r\n"
    b"Content-Type: application/json\r\n"
)
_PARTS = {
    "silent": b"",
    "half a head": b"GET /live HTTP/1.1\r\nHost: ",
    "a head and one byte of its body": _POST + b"Content-Length: 100\r\n\r\n{",
    "a chunk without its end": _POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n{",
    "large responses that are not read": b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n"
    % LARGE.encode()
    * 50,
}
KINDS = [*_PARTS, "a byte each second"]


def raise_file_limit() -> None:
    """Allow this process, and the servers that it starts, as many open files as possible."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextmanager
def slow_clients(server: LiveServer, kind: str, count: int) -> Iterator[list[socket.socket]]:
    """Keep this many connections of one of the KINDS open during the block."""
    made: list[socket.socket] = []
    stop = threading.Event()
    dripping = threading.Thread(target=_drip, args=(made, stop))
    try:
        for _ in range(count):
            client = socket.create_connection(("127.0.0.1", server.port), timeout=30)
            made.append(client)
            with suppress(OSError):  # closed already, to make room for others
                client.sendall(_PARTS.get(kind, b"GET /live HTTP"))
        if kind not in _PARTS:
            dripping.start()
        yield made
    finally:
        stop.set()
        if dripping.is_alive():
            dripping.join()
        for client in made:
            client.close()


def _drip(clients: list[socket.socket], stop: threading.Event) -> None:
    while not stop.wait(1):
        for client in clients:
            with suppress(OSError):
                client.send(b"x")


def read_to_end(client: socket.socket) -> bytes:
    """Return everything that a server sends until it closes the connection."""
    parts = []
    with suppress(ConnectionResetError):
        while part := client.recv(65536):
            parts.append(part)
    return b"".join(parts)


def exchange(server: LiveServer, sent: bytes, meanwhile: Callable[[], None] | None = None) -> bytes:
    """Send bytes on a new connection, and return all responses once the server has closed it."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(sent)
        if meanwhile:
            meanwhile()
        return read_to_end(client)
