"""A raw connection that reads responses strictly: what it cannot frame is a finding."""

import socket
from dataclasses import dataclass
from types import TracebackType
from typing import BinaryIO, Self

MAX_LINE = 64 * 1024


class Unframed(Exception):
    """A response that HTTP does not allow."""


class Closed(Exception):
    """The server closed the connection before a response."""


@dataclass(frozen=True)
class Received:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def closes(self) -> bool:
        """Whether the server closes the connection after this response."""
        return "close" in self.headers.get("connection", "").lower()


class RawConnection:
    """A connection to a port of 127.0.0.1; a read that takes longer than `seconds` raises."""

    def __init__(self, port: int, seconds: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self._file: BinaryIO = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send bytes, as many as the server takes before it closes the connection."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            return

    def end(self) -> None:
        """Close the sending direction."""
        try:
            self.socket.shutdown(socket.SHUT_WR)
        except OSError:
            return

    def receive(self, method: str = "GET") -> Received:
        """Return the next response.

        Raises Closed, Unframed, and TimeoutError if the server sends nothing in time.
        """
        while True:
            status, headers = self._head()
            if status >= 200:
                break
        if method == "HEAD" or status in (204, 304):
            return Received(status, headers, b"")
        return Received(status, headers, self._body(headers))

    def _head(self) -> tuple[int, dict[str, str]]:
        line = self._line()
        parts = line.split(b" ", 2)
        if parts[0] != b"HTTP/1.1" or len(parts) < 3 or not parts[1].isdigit():
            raise Unframed(f"status line {line[:80]!r}")
        headers: dict[str, str] = {}
        while text := self._line():
            name, colon, rest = text.decode("latin-1").partition(":")
            if not colon:
                raise Unframed(f"header {text[:80]!r}")
            headers[name.lower()] = rest.strip()
        return int(parts[1]), headers

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return b"".join(iter(self._chunk, b""))
        if "content-length" in headers:
            return self._exactly(int(headers["content-length"]))
        return self._file.read()

    def _chunk(self) -> bytes:
        data = self._exactly(int(self._line(), 16))
        self._line()
        return data

    def _exactly(self, size: int) -> bytes:
        data = self._file.read(size)
        if len(data) < size:
            raise Unframed(f"a body of {len(data)} instead of {size} bytes")
        return data

    def _line(self) -> bytes:
        try:
            line = self._file.readline(MAX_LINE)
        except ConnectionResetError:
            raise Closed from None
        if not line:
            raise Closed
        if not line.endswith(b"\r\n"):
            raise Unframed(f"line {line[:80]!r}")
        return line[:-2]
