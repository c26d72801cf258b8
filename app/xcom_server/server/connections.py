"""A connection of a client: its buffers, and reading and writing without waiting."""

import errno
import socket
import struct
import time
from collections import deque
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from xcom_server.server.framing import ChunkedBody, Head, LengthBody

READ_BYTES = 64 * 1024
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: discard unsent bytes and reset the connection


class State(Enum):
    """What a connection waits for."""

    HEAD = auto()  # the first byte of a request, or the rest of its head
    BODY = auto()  # the rest of the body
    HANDLING = auto()  # a thread, or the application in it
    HELD = auto()  # the time at which its response is to be sent
    WRITING = auto()  # the client, which does not read fast enough
    CLOSING = auto()  # the client, which has to close its side after the last response


class Output:
    """The bytes for a client; gunicorn and the application use it like a blocking socket.

    Nothing here waits for the client. Bytes that the operating system does not take are kept, and
    written later by the worker's main loop.
    """

    def __init__(self, sock: socket.socket, timeout: float) -> None:
        self._sock = sock
        self._timeout = timeout
        self._waiting: deque[memoryview] = deque()
        self._is_head_sent = False
        self.held_seconds = 0.0  # how long the response waits after the thread has finished
        self.is_reset = False
        self.size = 0  # of the bytes that are not sent
        self.memory = 0  # of the objects that hold them
        self.progressed = 0.0  # when bytes were sent last, or nothing was waiting

    def start_response(self) -> None:
        """Keep the next bytes until there are more: the head is sent together with the body."""
        self._is_head_sent = False

    def reset(self) -> None:
        """Discard the response; the client gets a reset instead."""
        self.is_reset = True
        self._waiting.clear()
        self.size = self.memory = 0

    def hold(self, seconds: float) -> None:
        """Send the response later; no thread waits for that.  It must not be a stream."""
        self.held_seconds = seconds

    def release(self) -> None:
        """Send a response that was held."""
        self.held_seconds = 0.0
        self.progressed = time.monotonic()

    def sendall(self, data: bytes) -> None:
        """Send bytes or keep them.

        Raises OSError if the connection is broken, or if the client has not read for the time-out.
        """
        self._require_open()
        if not self._waiting:
            self.progressed = time.monotonic()
        self._waiting.append(memoryview(data))
        self.size += len(data)
        self.memory += len(data)
        if self._is_head_sent and not self.flush() and self.is_late(time.monotonic()):
            raise ConnectionResetError(errno.ECONNRESET, "the client does not read")
        self._is_head_sent = True

    def flush(self) -> bool:
        """Send what the operating system takes; return whether that was everything.

        Raises OSError if the connection is broken.
        """
        self._require_open()
        if self.held_seconds:
            return False
        while self._waiting:
            try:
                sent = self._sock.sendmsg([*self._waiting][:16])
            except BlockingIOError:
                return False
            self._discard(sent)
        return True

    def is_late(self, now: float) -> bool:
        """Return whether the client has not read for the time-out."""
        return self.size > 0 and now - self.progressed > self._timeout

    def _require_open(self) -> None:
        if self.is_reset:
            raise ConnectionResetError(errno.ECONNRESET, "the application resets the connection")

    def _discard(self, count: int) -> None:
        """Remove bytes that were sent."""
        self.size -= count
        self.progressed = time.monotonic()
        while count:
            first = self._waiting.popleft()
            if len(first) > count:
                self._waiting.appendleft(first[count:])
                return
            self.memory -= memoryview(first.obj).nbytes
            count -= len(first)

    def fileno(self) -> int:
        """Return the file descriptor, for `poll`."""
        return self._sock.fileno()

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Read without waiting, to find out whether the client has disconnected."""
        return self._sock.recv(size, flags)

    def gettimeout(self) -> float:
        """Return 0.0, as a socket that does not wait."""
        return 0.0

    def shutdown(self, how: int) -> None:
        """Raise OSError: only the main loop closes connections."""
        raise OSError(errno.ENOTCONN, "the main loop closes the connection")

    def close(self) -> None:
        """Do nothing, for the same reason."""


class Connection:
    """A connection and the request that it is at."""

    def __init__(self, sock: socket.socket, client: Any, server: Any, timeout: float) -> None:
        """Prepare an accepted socket; `timeout` is that for writing, in seconds."""
        now = time.monotonic()
        sock.setblocking(False)
        self.socket = sock
        self.client = client
        self.server = server
        self.sock = Output(sock, timeout)  # gunicorn's name
        self.state = State.HEAD
        self.received = bytearray()
        self.head = Head()
        self.body: LengthBody | ChunkedBody | None = None
        self.parser: Any = None
        self.request: Any = None
        self.must_close = False
        self.requests = 0
        self.has_begun = False  # the head of the request has
        self.may_exceed = False  # the limit of the buffers, so that not all uploads wait
        self.since = now  # of the last progress
        self.deadline = now
        self.handled_bytes = 0  # of the request in a thread
        self.counted_bytes = 0  # of all buffers, when the loop counted them last
        self.watched = 0  # events of the selector

    def read(self, size: int) -> bool:
        """Receive up to `size` bytes; return False at the end of the input.

        Raises BlockingIOError if there are none, and OSError if the connection is broken.
        """
        data = self.socket.recv(size)
        self.received += data
        return bool(data)

    def take(self, count: int) -> bytes:
        """Remove and return the first bytes received."""
        taken = bytes(memoryview(self.received)[:count])
        del self.received[:count]
        return taken

    def buffered_bytes(self) -> int:
        """Return the size of all buffers."""
        return len(self.received) + self.handled_bytes + self.sock.memory

    def next_request(self) -> None:
        """Forget the request before."""
        self.head, self.body, self.parser, self.request = Head(), None, None, None
        self.must_close = self.has_begun = self.may_exceed = False

    def close(self) -> None:
        """Close the socket; if bytes are left to send, discard them and reset the connection.

        A connection that the application resets is reset too.
        """
        with suppress(OSError):
            if self.sock.size or self.sock.is_reset:
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        with suppress(OSError):
            self.socket.close()
