"""The steps of each connection, its deadlines, and what happens if there are too many.

Everything runs in the worker's main loop and never waits for a client. A thread gets a request only
when it is complete, and its response is written from here if the client does not read fast enough.
"""

import errno
import selectors
import socket
import time
from dataclasses import dataclass, replace
from typing import Any, Protocol

from xcom_server.server.connection_table import OWN_STATES, READ, WRITE, ConnectionTable
from xcom_server.server.connections import READ_BYTES, Connection, State
from xcom_server.server.framing import INCOMPLETE, ChunkedBody, LengthBody

MAX_HEAD_BYTES = 64 * 1024
SWEEP_SECONDS = 0.5  # between two checks of the deadlines
STOP_SECONDS = 2.0  # how long a stopping worker waits for clients that do not send or read
_HELD_SECONDS = 60.0  # how long a response may be held at most
_LINGER_SECONDS = 2.0  # how long a client may take to read the last response and to close
_LOW_READ_BYTES = 8 * 1024  # read at once while the buffers are full
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_BROKEN_LISTENER = (errno.EBADF, errno.EINVAL, errno.ENOTSOCK)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The limits of a worker's connections, in seconds and bytes."""

    head_seconds: float
    body_seconds: float
    write_seconds: float
    keep_alive_seconds: float
    connections: int
    buffer_bytes: int
    held_seconds: float = _HELD_SECONDS
    linger_seconds: float = _LINGER_SECONDS

    def when_stopping(self) -> "Limits":
        """Return shorter limits."""
        return replace(
            self,
            head_seconds=min(self.head_seconds, STOP_SECONDS),
            body_seconds=min(self.body_seconds, STOP_SECONDS),
            write_seconds=min(self.write_seconds, STOP_SECONDS),
            keep_alive_seconds=min(self.keep_alive_seconds, STOP_SECONDS),
            held_seconds=min(self.held_seconds, STOP_SECONDS),
            linger_seconds=SWEEP_SECONDS,
        )


class Handler(Protocol):
    """The part of a worker that parses requests and runs the application."""

    def parse(self, connection: Connection, head: bytes) -> LengthBody | ChunkedBody | None:
        """Return the body that follows a head, None if it is invalid and an error was written."""

    def submit(self, connection: Connection, body: bytes) -> None:
        """Start a thread; when it has responded, the main loop calls `Clients.finish`."""

    def refuse(self, connection: Connection, status: int, reason: str) -> None:
        """Write an error response that closes the connection."""


class Clients:
    """The connections of a worker."""

    def __init__(self, poller: selectors.BaseSelector, handler: Handler, limits: Limits) -> None:
        self._handler = handler
        self._limits = limits
        self._table = ConnectionTable(poller, self._ready, limits.buffer_bytes)
        self._next_sweep = 0.0
        self._has_descriptors = True

    def __len__(self) -> int:
        return len(self._table)

    def accept(self, listener: Any) -> None:
        """Accept a connection; if there are too many, close the one that has waited longest."""
        try:
            sock, client = listener.accept()
        except OSError as error:
            if error.errno in _BROKEN_LISTENER:
                raise
            if error.errno in _NO_DESCRIPTORS:
                self._has_descriptors = self._table.drop_longest_waiting()
            return
        if len(self._table) >= self._limits.connections:
            self._table.drop_longest_waiting()
        connection = Connection(sock, client, listener.getsockname(), self._limits.write_seconds)
        self._table.add(connection)
        self._wait_for(connection, State.HEAD, self._limits.head_seconds)
        self._table.watch(connection, READ)

    def can_accept(self) -> bool:
        """Return whether there is room, or a connection that can be closed to make room."""
        if not self._has_descriptors:
            return False
        is_full = len(self._table) >= self._limits.connections
        return not is_full or self._table.longest_waiting() is not None

    def finish(self, connection: Connection, keep: bool) -> None:
        """Go on with a connection to which a thread has responded."""
        connection.requests += 1
        connection.handled_bytes = 0
        connection.must_close |= not keep
        if connection.sock.held_seconds:
            self._hold(connection)
        else:
            self._write(connection)
        self._table.count_bytes(connection)
        self._resume()

    def seconds_to_sweep(self) -> float:
        """Return how long the main loop may wait for events, at most SWEEP_SECONDS."""
        return min(max(self._next_sweep - time.monotonic(), 0.0), SWEEP_SECONDS)

    def check_deadlines(self) -> None:
        """Close connections whose time is over, every SWEEP_SECONDS; send responses in time."""
        now = time.monotonic()
        if now < self._next_sweep:
            return
        self._next_sweep = now + SWEEP_SECONDS
        self._has_descriptors = True
        self._table.make_room()
        self._resume()
        for connection in self._table:
            if connection.state is not State.HANDLING and now >= connection.deadline:
                self._expire(connection)
            elif connection.state is State.HELD:
                self._next_sweep = min(self._next_sweep, connection.deadline)

    def stop(self) -> None:
        """Shorten all deadlines: clients that do not send or read would delay the stop."""
        self._limits = self._limits.when_stopping()
        end = time.monotonic() + STOP_SECONDS
        for connection in self._table:
            connection.deadline = min(connection.deadline, end)

    def close(self) -> None:
        """Close all connections."""
        for connection in self._table:
            self._table.drop(connection)

    def _ready(self, connection: Connection) -> None:
        """Take the next step of a connection that can be read or written."""
        if connection.state in OWN_STATES:
            self._table.watch(connection, 0)  # its next request is read after the response
        elif connection.state is State.WRITING:
            self._write(connection)
        elif connection.state is State.CLOSING:
            self._discard_input(connection)
        elif connection.state is State.BODY and self._table.is_full and not connection.may_exceed:
            self._table.pause(connection)
            connection.deadline = float("inf")
        else:
            self._read(connection)

    def _read(self, connection: Connection) -> None:
        try:
            is_open = connection.read(_LOW_READ_BYTES if self._table.is_full else READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            self._table.drop(connection)
            return
        if is_open:
            self._advance(connection)
        elif connection.state is State.BODY:
            connection.must_close = True
            self._submit(connection, len(connection.received))  # the application responds with 400
        else:
            self._close(connection)

    def _advance(self, connection: Connection) -> None:
        """Use the bytes received."""
        if connection.state is State.HEAD:
            self._advance_head(connection)
        if connection.state is State.BODY and connection.body:
            connection.since = time.monotonic()
            end = connection.body.end(connection.received)
            if end != INCOMPLETE:
                connection.must_close |= connection.body.must_close
                self._submit(connection, end)

    def _advance_head(self, connection: Connection) -> None:
        end = connection.head.end(connection.received)
        if end == INCOMPLETE and len(connection.received) <= MAX_HEAD_BYTES:
            if not connection.has_begun:  # these are the first bytes
                connection.has_begun = True
                connection.deadline = time.monotonic() + self._limits.head_seconds
            return
        head = connection.take(end if end != INCOMPLETE else len(connection.received))
        connection.body = self._handler.parse(connection, head)
        if connection.body is None:
            self._close(connection)
        else:
            self._wait_for(connection, State.BODY, self._limits.body_seconds)

    def _submit(self, connection: Connection, length: int) -> None:
        connection.state = State.HANDLING
        connection.handled_bytes = length
        connection.sock.start_response()
        self._handler.submit(connection, connection.take(length))

    def _hold(self, connection: Connection) -> None:
        """Send the response later."""
        seconds = min(connection.sock.held_seconds, self._limits.held_seconds)
        self._wait_for(connection, State.HELD, seconds)
        self._next_sweep = min(self._next_sweep, connection.deadline)

    def _write(self, connection: Connection) -> None:
        """Send the response; then wait for the next request, or close the connection."""
        try:
            is_written = connection.sock.flush()
        except OSError:
            self._table.drop(connection)
            return
        if not is_written:
            self._wait_to_write(connection)
        elif connection.must_close:
            self._close(connection)
        else:
            connection.next_request()
            self._wait_for(connection, State.HEAD, self._limits.keep_alive_seconds)
            has_more = not connection.watched  # it was ready while a thread responded
            self._table.watch(connection, READ)
            if connection.received:
                self._advance(connection)
            elif has_more:
                self._read(connection)

    def _wait_to_write(self, connection: Connection) -> None:
        connection.state = State.WRITING
        connection.since = connection.sock.progressed
        connection.deadline = connection.since + self._limits.write_seconds
        self._table.watch(connection, WRITE)

    def _discard_input(self, connection: Connection) -> None:
        try:
            is_open = connection.read(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            is_open = False
        connection.received.clear()
        if not is_open:
            self._table.drop(connection)

    def _expire(self, connection: Connection) -> None:
        """Close a connection whose deadline has passed, or send its response that was held."""
        if connection.state is State.HELD:
            connection.sock.release()
            self._write(connection)
            return
        has_begun = connection.state is State.HEAD and connection.received
        if has_begun or connection.state is State.BODY:
            self._handler.refuse(connection, 408, "Request Timeout")
            self._close(connection)
        else:
            self._table.drop(connection)

    def _close(self, connection: Connection) -> None:
        """End the output, and wait until the client has read it and closes its side.

        If the socket was closed while the client still sends, the client would get a reset instead
        of the response.
        """
        connection.must_close = True
        try:
            if not connection.sock.flush():
                self._wait_to_write(connection)
                return
            connection.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self._table.drop(connection)
            return
        connection.received.clear()
        self._wait_for(connection, State.CLOSING, self._limits.linger_seconds)
        self._table.watch(connection, READ)

    def _resume(self) -> None:
        for connection in self._table.resume():
            self._wait_for(connection, State.BODY, self._limits.body_seconds)

    def _wait_for(self, connection: Connection, state: State, seconds: float) -> None:
        connection.state = state
        connection.since = time.monotonic()
        connection.deadline = connection.since + seconds
