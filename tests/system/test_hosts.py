"""Raw requests with foreign names of hosts, to the server as users run it and to wsgiref."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pytest
from xcom_server.factory import create_app
from xcom_server.settings import Settings

from tests.support.live_server import LiveServer

LOCAL, FOREIGN = "Host: localhost", "Host: attacker.example"


@contextmanager
def wsgiref(folder: Path) -> Iterator[int]:
    """Yield the port of a server of the standard library."""

    class Quiet(WSGIRequestHandler):
        def log_message(self, format: str, *args: object) -> None:
            pass

    app = create_app(Settings(database_url=f"sqlite:///{folder}/xcom.db"))
    with make_server("127.0.0.1", 0, app, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()
    app.extensions["store"].close()


@pytest.fixture(scope="module", params=["gunicorn", "wsgiref"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    folder = tmp_path_factory.mktemp("hosts")
    if request.param == "wsgiref":
        with wsgiref(folder) as number:
            yield number
    else:
        with LiveServer(folder, workers=1) as server:
            yield server.port


def status(port: int, *lines: str) -> int:
    """Send the lines of a request's head, and return the status of the response."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("".join(f"{line}\r\n" for line in (*lines, "")).encode("latin-1"))
        return int(connection.makefile("rb").readline().split()[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    "lines",
    [
        ("GET /live HTTP/1.1", LOCAL),
        ("GET /live HTTP/1.1", "Host: 127.0.0.1:8080"),
        ("GET /live HTTP/1.1", "host:LOCALHOST."),
        ("GET /live HTTP/1.0",),
        ("GET /live HTTP/1.0", LOCAL),
        ("GET /live HTTP/1.1", LOCAL, "X-Forwarded-Host: attacker.example"),
    ],
    ids=str,
)
def test_own_name_is_accepted(port: int, lines: tuple[str, ...]) -> None:
    assert status(port, *lines) == 200


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (("GET /live HTTP/1.1", FOREIGN), {421}),
        (("GET /live HTTP/1.0", FOREIGN), {421}),
        (("GET /metrics HTTP/1.1", f"{FOREIGN}:8080"), {421}),
        (("POST /auth/token HTTP/1.1", FOREIGN, "Content-Length: 0"), {421}),
        (("GET /live HTTP/1.1", FOREIGN, "X-Forwarded-Host: localhost"), {421}),
        (("GET /live HTTP/1.1", FOREIGN, LOCAL), {400, 421}),
        (("GET /live HTTP/1.1", LOCAL, FOREIGN), {400, 421}),
        (("GET /live HTTP/1.1",), {400, 421}),
        (("GET /live HTTP/1.1", "Host:"), {400, 421}),
        (("GET /live HTTP/1.1", "Host: localhost\xff"), {400, 421}),
        (("GET /live HTTP/1.1", "Host : localhost", FOREIGN), {400, 421}),
        (("GET /live HTTP/1.1", FOREIGN, "HTTP_HOST: localhost"), {400, 421}),
        (("GET http://attacker.example/live HTTP/1.1", FOREIGN), {404, 421}),
        (("GET http://localhost/live HTTP/1.1", FOREIGN), {404, 421}),
        # wsgiref has no such targets: it takes them for paths, and their Host is right.
        (("GET http://attacker.example/live HTTP/1.1", LOCAL), {404, 421}),
    ],
    ids=str,
)
def test_other_names_are_refused(port: int, lines: tuple[str, ...], expected: set[int]) -> None:
    assert status(port, *lines) in expected
