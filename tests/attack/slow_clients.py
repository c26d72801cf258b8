"""Clients that send or read slowly or not at all, many at once, in one thread."""

import resource
import socket
import threading
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

DRIP_SECONDS = 1.0
SPARE_FILES = 256  # descriptors that this process needs besides its connections
LARGE = b"GET /api/v2/ui/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEAD = b"POST /api/v1/dags/etl HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n"
CHUNKED = HEAD.replace(b"Content-Length: 100", b"Transfer-Encoding: chunked") + b"\r\n"


@dataclass(frozen=True)
class Kind:
    """What a client sends at once, then one byte a second, and whether it reads responses."""

    first: bytes = b""
    drip: bytes = b""
    reads: bool = True


KINDS = {
    "silent": Kind(),
    "half a head": Kind(HEAD[:40]),
    "one byte of a body": Kind(HEAD + b"\r\n{"),
    "head byte by byte": Kind(HEAD, b"X-A: " + b"a" * 1000),
    "body byte by byte": Kind(HEAD + b"\r\n", b"[" * 99),
    "endless chunks": Kind(CHUNKED, b"1\r\na\r\n" * 200),
    "never reads": Kind(LARGE * 20, LARGE, reads=False),
    "idle after a response": Kind(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n"),
}


class SlowClient:
    """One connection; `tick` is called once a second."""

    def __init__(self, port: int, kind: Kind) -> None:
        self._kind = kind
        self._left = kind.drip
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(10)
        try:
            self._socket.connect(("127.0.0.1", port))
            self._socket.setblocking(False)
            self._socket.send(kind.first)
        except OSError:
            self._socket.close()
            raise

    def tick(self) -> bool:
        """Send the next byte, and read what was received; return whether the server closed."""
        with suppress(BlockingIOError):
            if self._kind.reads and not self._socket.recv(65536):
                return True
        with suppress(BlockingIOError):
            self._left = self._left[self._socket.send(self._left[:1]) :]
        return False

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class SlowClients:
    """A number of connections, of all kinds in turn; each is opened again when it is closed.

    `opened` counts the connections of each kind, and `refused` those that the server did not take.
    """

    def __init__(self, port: int, number: int, kinds: tuple[str, ...] = tuple(KINDS)) -> None:
        allow_files(number)
        self.opened: Counter[str] = Counter()
        self.refused = 0
        self._port = port
        self._wanted = [kinds[each % len(kinds)] for each in range(number)]
        self._clients: dict[int, SlowClient] = {}
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._open_missing()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stopped.set()
        self._thread.join()
        for client in self._clients.values():
            client.close()

    def _run(self) -> None:
        while not self._stopped.wait(DRIP_SECONDS):
            for number, client in [*self._clients.items()]:
                if _is_over(client):
                    del self._clients[number]
                    client.close()
            self._open_missing()

    def _open_missing(self) -> None:
        for number, kind in enumerate(self._wanted):
            if number in self._clients or self._stopped.is_set():
                continue
            try:
                self._clients[number] = SlowClient(self._port, KINDS[kind])
                self.opened[kind] += 1
            except OSError:
                self.refused += 1


def _is_over(client: SlowClient) -> bool:
    try:
        return client.tick()
    except OSError:
        return True


def allow_files(number: int) -> None:
    """Raise this process's limit of open files to so many connections, if it may."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = max(soft, number + SPARE_FILES)
    if hard != resource.RLIM_INFINITY:
        wanted = min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
