"""The limits of a worker's connections, with a handler that responds at once or never."""

import errno
import selectors
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from xcom_server.server import clients
from xcom_server.server.clients import Clients, Limits
from xcom_server.server.connections import Connection
from xcom_server.server.framing import LengthBody

from tests.support.waiting import until

LIMITS = Limits(
    head_seconds=60,
    body_seconds=60,
    write_seconds=60,
    keep_alive_seconds=60,
    connections=3,
    buffer_bytes=100_000,
)
UPLOAD = b"POST / HTTP/1.1\r\n\r\n"


class Server:
    """Connections whose requests all have a body of `length` bytes and are never answered."""

    def __init__(self, limits: Limits = LIMITS, length: int = 0) -> None:
        self.handled: list[Connection] = []
        self._length = length
        self._stack = ExitStack()
        self._poller = self._stack.enter_context(selectors.DefaultSelector())
        self.clients = Clients(self._poller, self, limits)
        self._stack.callback(self.clients.close)
        self.listener = self._stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        self.listener.setblocking(False)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def parse(self, connection: Connection, head: bytes) -> LengthBody:
        return LengthBody(self._length, 10_000_000)

    def submit(self, connection: Connection, body: bytes) -> None:
        self.handled.append(connection)

    def refuse(self, connection: Connection, status: int, reason: str) -> None:
        connection.sock.sendall(b"%d" % status)

    def connected(self, sent: bytes = b"") -> socket.socket:
        client = self._stack.enter_context(
            socket.create_connection(self.listener.getsockname(), timeout=30)
        )
        self.clients.accept(self.listener)
        client.sendall(sent)
        self.turn()
        return client

    def turn(self) -> None:
        for key, _ in self._poller.select(0.05):
            key.data(key.fileobj)
        self.clients.check_deadlines()

    def count(self) -> int:
        """Handle events; return the number of connections."""
        self.turn()
        return len(self.clients)

    def respond(self, response: bytes) -> None:
        """Respond to the request that is handled longest."""
        connection = self.handled.pop(0)
        connection.sock.sendall(b"")
        connection.sock.sendall(response)
        self.clients.finish(connection, True)


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clients, "SWEEP_SECONDS", 0)


def is_closed(client: socket.socket) -> bool:
    client.setblocking(False)
    try:
        return client.recv(100_000) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def test_connection_that_waits_longest_is_closed_for_a_new_one() -> None:
    with Server() as server:
        handled = server.connected(b"GET / HTTP/1.1\r\n\r\n")
        first, second, third = (server.connected(b"GET") for _ in range(3))

        assert [is_closed(each) for each in (handled, first, second, third)] == [
            False,
            True,
            False,
            False,
        ]
        assert len(server.clients) == LIMITS.connections


def test_nothing_is_accepted_while_all_requests_are_handled() -> None:
    with Server() as server:
        for _ in range(LIMITS.connections):
            assert server.clients.can_accept()
            server.connected(b"GET / HTTP/1.1\r\n\r\n")
        assert not server.clients.can_accept()

        server.respond(b"done")

        assert server.clients.can_accept()


def test_connection_whose_response_is_held_is_not_closed_for_a_new_one() -> None:
    with Server() as server:
        held = server.connected(b"GET / HTTP/1.1\r\n\r\n")
        server.handled[0].sock.hold(60)
        server.respond(b"later")

        first, second, third = (server.connected(b"GET") for _ in range(3))

        assert [is_closed(each) for each in (held, first, second, third)] == [
            False,
            True,
            False,
            False,
        ]


def test_main_loop_waits_at_most_until_a_held_response_is_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Server() as server:
        server.connected(b"GET / HTTP/1.1\r\n\r\n")
        monkeypatch.setattr(clients, "SWEEP_SECONDS", 50)
        server.clients.check_deadlines()
        assert server.clients.seconds_to_sweep() > 40

        server.handled[0].sock.hold(20)
        server.respond(b"later")
        assert server.clients.seconds_to_sweep() <= 20

        monkeypatch.setattr(server.clients, "_next_sweep", 0)
        server.clients.check_deadlines()
        assert server.clients.seconds_to_sweep() <= 20


def failing(number: int) -> Any:
    def accept() -> None:
        raise OSError(number, "accept")

    return SimpleNamespace(accept=accept)


def test_without_file_descriptors_the_longest_waiting_connection_is_closed() -> None:
    with Server() as server:
        first, second = server.connected(), server.connected()

        server.clients.accept(failing(errno.EMFILE))
        assert (is_closed(first), is_closed(second), server.clients.can_accept()) == (
            True,
            False,
            True,
        )
        server.clients.accept(failing(errno.EMFILE))
        server.clients.accept(failing(errno.EMFILE))

        assert not server.clients.can_accept()  # until the next check, or the loop would spin
        server.clients.check_deadlines()
        assert server.clients.can_accept()


def test_connection_that_was_closed_before_it_was_accepted_is_ignored() -> None:
    with Server() as server:
        for number in (errno.EAGAIN, errno.ECONNABORTED, errno.ENETDOWN):
            server.clients.accept(failing(number))
        assert len(server.clients) == 0
        with pytest.raises(OSError, match="accept"):
            server.clients.accept(failing(errno.EBADF))


def test_response_that_is_not_read_makes_room_if_the_buffers_are_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The operating system takes a few megabytes of each response."""
    monkeypatch.setattr("xcom_server.server.connection_table._STALLED_SECONDS", 0)
    with Server(replace(LIMITS, buffer_bytes=20_000_000)) as server:
        for number in range(2):
            server.connected(b"GET / HTTP/1.1\r\n\r\n")
            server.respond(b"x" * 18_000_000)
            assert len(server.clients) == 1, number
        third = server.connected(b"GET / HTTP/1.1\r\n\r\n")
        server.respond(b"y")

        assert (third.recv(10), len(server.clients)) == (b"y", 2)


def test_clients_that_read_are_not_closed_if_the_buffers_are_full() -> None:
    with Server(replace(LIMITS, buffer_bytes=20_000_000)) as server:
        made = [server.connected(b"GET / HTTP/1.1\r\n\r\n") for _ in range(2)]
        for _ in made:
            server.respond(b"x" * 18_000_000)
        left = dict.fromkeys(made, 18_000_000)
        while any(left.values()):
            server.turn()
            for client in made:
                client.setblocking(False)
                with suppress(BlockingIOError):
                    count = len(client.recv(200_000))
                    assert count or not left[client]
                    left[client] -= count

        assert len(server.clients) == 2


def test_clients_are_stalled_if_they_read_nothing_for_some_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("xcom_server.server.connection_table._STALLED_SECONDS", 0.5)
    with Server(replace(LIMITS, buffer_bytes=20_000_000)) as server:
        for _ in range(2):
            server.connected(b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(2):
            server.respond(b"x" * 18_000_000)

        assert len(server.clients) == 2
        until(lambda: server.count() == 1)


def test_buffers_never_have_more_than_twice_their_maximum() -> None:
    with Server(replace(LIMITS, buffer_bytes=20_000_000)) as server:
        for _ in range(3):
            server.connected(b"GET / HTTP/1.1\r\n\r\n")
            server.respond(b"x" * 18_000_000)

        assert len(server.clients) == 2


def uploading(server: Server, client: socket.socket, length: int) -> None:
    """Send bytes while the server runs."""
    client.setblocking(False)
    left = memoryview(b"x" * length)
    while left:
        with suppress(BlockingIOError):
            left = left[client.send(left) :]
        server.turn()


@pytest.fixture
def uploads() -> Iterator[tuple[Server, list[socket.socket]]]:
    """Yield a server with two uploads that together are larger than the buffers."""
    with Server(length=90_000) as server:
        yield server, [server.connected(UPLOAD) for _ in range(2)]


def test_uploads_that_fill_the_buffers_wait_and_are_completed(
    uploads: tuple[Server, list[socket.socket]],
) -> None:
    server, made = uploads
    for client in made:
        uploading(server, client, 80_000)
    for client in made:
        client.sendall(b"x" * 10_000)

    def are_handled() -> bool:
        server.turn()
        return len(server.handled) == 2

    until(are_handled)
    assert not any(is_closed(client) for client in made)


def test_stalled_upload_makes_room_for_another(
    uploads: tuple[Server, list[socket.socket]], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, (stalled, other) = uploads
    monkeypatch.setattr("xcom_server.server.connection_table._STALLED_SECONDS", 0.2)
    uploading(server, stalled, 80_000)

    def is_dropped() -> bool:
        uploading(server, other, 1000)
        return len(server.clients) == 1

    until(is_dropped)
    assert is_closed(stalled)


def test_input_after_the_last_response_is_discarded_so_that_it_arrives() -> None:
    with Server() as server:
        client = server.connected(b"GET / HTTP/1.1\r\n\r\n")
        connection = server.handled[0]
        connection.must_close = True
        client.sendall(b"x" * 100_000)
        server.respond(b"last")
        for _ in range(5):
            server.turn()

        assert client.recv(10) == b"last"
        assert client.recv(10) == b""
        client.close()
        until(lambda: server.count() == 0)


def test_stopping_shortens_the_deadlines() -> None:
    with Server() as server:
        server.connected(), server.connected(b"GET")
        server.clients.stop()
        ends = [each.deadline - each.since for each in server.clients._table]

        assert max(ends) < LIMITS.head_seconds
        until(lambda: server.count() == 0)
