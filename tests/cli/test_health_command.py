"""`xcom-server health`: the exit status is 0 only if a server responds at XCOM_BIND."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any

import pytest

from tests.support.cli import outcome, run_command


class Live(BaseHTTPRequestHandler):
    """Responds with a 200 to /live, and with a 503 to other paths."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/live" else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def address_string(self) -> str:
        return "client"

    def log_message(self, *args: Any) -> None:
        """Print nothing."""


class UnixServer(ThreadingMixIn, UnixStreamServer):
    """An HTTP server on a Unix socket."""


@pytest.fixture
def port() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Live) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def health(bind: str) -> tuple[int, str, str]:
    return outcome(run_command("health", environ={"XCOM_BIND": bind}))


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "[::]", "localhost", "[::ffff:7f00:1]"])
def test_server_at_the_address_is_healthy(port: int, host: str) -> None:
    assert health(f"{host}:{port}") == (0, "", "")


def test_server_at_a_unix_socket_is_healthy(tmp_path: Path) -> None:
    with UnixServer(str(tmp_path / "x.sock"), Live) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        found = health(f"unix:{tmp_path}/x.sock")
        server.shutdown()

    assert found == (0, "", "")


def test_missing_server_is_one_line(tmp_path: Path) -> None:
    bind = f"unix:{tmp_path}/none.sock"

    assert health(bind) == (
        1,
        "",
        f"Error: no response from {bind}: [Errno 2] No such file or directory\n",
    )


def test_other_status_is_unhealthy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Live, "do_GET", lambda self: self.send_error(503))

    assert health(f"127.0.0.1:{port}") == (1, "", f"Error: /live at 127.0.0.1:{port} is a 503\n")


def test_inherited_socket_has_no_address() -> None:
    assert health("fd://3") == (
        1,
        "",
        "Error: fd://3 has no address. Set XCOM_BIND to HOST:PORT.\n",
    )


def test_response_that_is_not_http_is_unhealthy(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Live, "do_GET", lambda self: self.wfile.write(b"SSH-2.0\r\n"))

    status, _, errors = health(f"127.0.0.1:{port}")
    assert (status, errors.count("\n")) == (1, 1)
    assert errors.startswith(f"Error: no response from 127.0.0.1:{port}: ")
