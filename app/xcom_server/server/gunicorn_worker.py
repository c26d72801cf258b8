"""gunicorn's gthread worker with a main loop that reads and writes for its threads.

Like gunicorn_adapter.py, it uses undocumented members of gunicorn, and each docstring states which.
tests/server/test_gunicorn_worker.py names the one that a new release of gunicorn breaks.
"""

import errno
import json
import selectors
import time
from contextlib import suppress
from typing import Any

from gunicorn import util
from gunicorn.config import Config
from gunicorn.http import get_parser
from gunicorn.http.errors import InvalidHeader, NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from xcom_server.server.clients import Clients, Limits
from xcom_server.server.connections import Connection
from xcom_server.server.descriptors import available_connections
from xcom_server.server.framing import INCOMPLETE, ChunkedBody, LengthBody
from xcom_server.settings import Settings


class BufferedWorker(ThreadWorker):  # type: ignore[misc]
    """gunicorn's gthread worker, whose threads never wait for a client.

    The main loop reads requests and writes what a client does not read at once (`clients.py`).
    gunicorn's parser, its responses and its hooks are used unchanged.  Relies on
    `ThreadWorker.handle_request(request, connection)` with `connection.sock`, `client` and
    `server`; on its `poller`, `method_queue`, `tpool`, `set_accept_enabled` and
    `wait_for_and_dispatch_events`; and on `Worker.handle_error`, `alive` and `notify`.
    """

    clients: Clients

    @classmethod
    def check_config(cls, cfg: Config, log: Any) -> None:
        """Raise RuntimeError for protocols that this worker does not read."""
        if cfg.is_ssl or cfg.protocol != "http" or cfg.proxy_protocol != "off":
            raise RuntimeError(
                "xcom-server reads only plain HTTP/1. For TLS, the PROXY protocol or uWSGI, set"
                " GUNICORN_CMD_ARGS='--worker-class gthread', which has no protection against"
                " slow clients."
            )

    def run(self) -> None:
        """Serve until the worker is to stop; then finish the requests in progress."""
        self.clients = self._new_clients()
        self.poller.register(
            self.method_queue.fileno(), selectors.EVENT_READ, self.method_queue.run_callbacks
        )
        while self.alive and self.is_parent_alive():
            self.set_accept_enabled(self.clients.can_accept())
            self._turn()
        self.set_accept_enabled(False)
        self.clients.stop()
        end = time.monotonic() + self.cfg.graceful_timeout
        while len(self.clients) and time.monotonic() < end:
            self._turn()
        self._close_all()

    def accept(self, listener: Any) -> None:
        """Accept a connection."""
        self.clients.accept(listener)

    def parse(self, connection: Connection, head: bytes) -> LengthBody | ChunkedBody | None:
        """Parse a head; see `clients.Handler`.

        Relies on the parser taking an iterable of bytes, and on `Request.headers`, `version` and
        `_expected_100_continue`.
        """
        request = None
        try:
            connection.parser = get_parser(self.cfg, [head], connection.client)
            connection.request = request = next(connection.parser)
            _require_host(request)
        except (NoMoreData, StopIteration):
            self.refuse(connection, 431, "Request Header Fields Too Large")
            return None
        except Exception as error:
            self.handle_error(request, connection.sock, connection.client, error)
            return None
        body = _body(request, self._max_body_bytes)
        self._continue(connection, body)
        return body

    def submit(self, connection: Connection, body: bytes) -> None:
        """Start a thread for a complete request.  Relies on `Parser.unreader` and its `unread`."""
        if body:
            connection.parser.unreader.unread(body)
        future = self.tpool.submit(self.handle, connection)
        future.add_done_callback(
            lambda done: self.method_queue.defer(
                self.clients.finish, connection, not done.exception() and done.result()
            )
        )

    def refuse(self, connection: Connection, status: int, reason: str) -> None:
        """Write an error response that closes the connection."""
        with suppress(OSError):
            write_problem(connection.sock, status, reason, "")

    def handle(self, connection: Connection) -> bool:
        """Respond to a request; return whether the connection can be used again."""
        keep = False
        try:
            if connection.must_close:
                connection.request.force_close()
            keep = self.handle_request(connection.request, connection)
            keep = keep and not connection.request.body.failed
        except (NoMoreData, StopIteration):
            pass
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN):
                self.log.exception("Socket error processing request.")
        except Exception as error:
            self.handle_error(connection.request, connection.sock, connection.client, error)
        with suppress(OSError):
            connection.sock.flush()
        return keep

    def _turn(self) -> None:
        """Handle the events of at most SWEEP_SECONDS."""
        self.notify()
        self.wait_for_and_dispatch_events(self.clients.seconds_to_sweep())
        self.clients.check_deadlines()

    def _new_clients(self) -> Clients:
        settings = Settings.from_env()
        self._max_body_bytes = settings.max_body_bytes
        wanted = self.cfg.worker_connections
        available = available_connections(wanted, self.cfg.threads)
        if available < wanted:
            self.log.warning(
                "The limit of open files allows %d connections per worker, not %d.",
                available,
                wanted,
            )
        limits = Limits(
            head_seconds=settings.head_timeout_seconds,
            body_seconds=settings.body_timeout_seconds,
            write_seconds=settings.write_timeout_seconds,
            keep_alive_seconds=self.cfg.keepalive,
            connections=available,
            buffer_bytes=settings.max_buffer_bytes,
        )
        return Clients(self.poller, self, limits)

    def _continue(self, connection: Connection, body: LengthBody | ChunkedBody) -> None:
        """Ask for the body if the client waits for that (`Expect: 100-continue`)."""
        if connection.request._expected_100_continue:
            connection.request._expected_100_continue = False  # or gunicorn would respond, too
            if body.end(connection.received) == INCOMPLETE:
                with suppress(OSError):
                    connection.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
                    connection.sock.flush()

    def _close_all(self) -> None:
        self.clients.close()
        self.tpool.shutdown(wait=False)
        self.poller.close()
        self.method_queue.close()
        for listener in self.sockets:
            listener.close()


def write_problem(sock: Any, status: int, reason: str, detail: str) -> None:
    """Write the response to a request that does not reach the application, a problem document.

    It replaces `util.write_error`, whose page is HTML.  Relies on `Worker.handle_error` calling
    that with these arguments.
    """
    problem = {"detail": detail or reason, "status": status, "title": reason, "type": "about:blank"}
    body = json.dumps(problem, indent=2).encode() + b"\n"
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n"
        "Content-Type: application/problem+json\r\nX-Content-Type-Options: nosniff\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    sock.sendall(head.encode() + body)


util.write_error = write_problem


def _require_host(request: Any) -> None:
    """Raise InvalidHeader for HTTP/1.1 without Host, as RFC 9112 requires."""
    if request.version >= (1, 1) and all(name != "HOST" for name, _ in request.headers):
        raise InvalidHeader("HOST", req=request)


def _body(request: Any, limit: int) -> LengthBody | ChunkedBody:
    """Return the body that follows a head which the parser has accepted."""
    headers = dict(request.headers)
    if "TRANSFER-ENCODING" in headers:
        return ChunkedBody(limit)
    return LengthBody(int(headers.get("CONTENT-LENGTH", 0)), limit)
