"""The application runs under WSGI servers other than gunicorn.

WSGI does not end the input at the end of the body unless the server sets `wsgi.input_terminated`:
a read past the Content-Length waits for bytes that the client never sends.
"""

import json
import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from typing import Any

import pytest

from tests.support.http_client import ENTRIES
from tests.support.waiting import SECONDS
from tests.support.wsgi_servers import SERVERS, served

pytestmark = pytest.mark.slow

V1, V2 = f"/api/v1/{ENTRIES}", f"/api/v2/{ENTRIES}"
JSON = {"Content-Type": "application/json"}
LIMIT = 2000


@dataclass(frozen=True)
class Server:
    name: str
    port: int

    def connection(self) -> "closing[HTTPConnection]":
        return closing(HTTPConnection("127.0.0.1", self.port, timeout=SECONDS))


@pytest.fixture(scope="module", params=SERVERS)
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp(request.param)
    with served(request.param, folder, XCOM_MAX_BODY_BYTES=str(LIMIT)) as port:
        yield Server(request.param, port)


def ask(connection: HTTPConnection, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    """Return the status and the body of a response; the connection stays open if it can."""
    text = None if body is None else json.dumps(body)
    connection.request(method, path, text, {} if text is None else JSON)
    return read(connection.getresponse())


def read(response: HTTPResponse) -> tuple[int, Any]:
    text = response.read()
    return response.status, json.loads(text) if text else None


@pytest.mark.parametrize(("path", "created"), [(V1, 200), (V2, 201)])
def test_every_method_is_answered(server: Server, path: str, created: int) -> None:
    key = f"key-{created}"
    with server.connection() as connection:
        assert ask(connection, "POST", path, {"key": key, "value": "1"})[0] == created
        assert ask(connection, "PATCH", f"{path}/{key}", {"value": "2"})[0] == 200
        assert ask(connection, "GET", path)[0] == 200
        assert ask(connection, "DELETE", f"{path}/{key}") == (204, None)
        assert ask(connection, "GET", f"{path}/{key}")[0] == 404


@pytest.mark.parametrize("path", ["/live", "/ready", "/metrics", "/api/v2/ui/", "/openapi.json"])
def test_other_pages_are_served(server: Server, path: str) -> None:
    with server.connection() as connection:
        connection.request("GET", path)

        assert connection.getresponse().status == 200


def test_body_over_the_limit_is_refused(server: Server) -> None:
    with server.connection() as connection:
        status, _ = ask(connection, "POST", V1, {"key": "large", "value": "x" * LIMIT})

    assert status == 413


def test_body_of_the_limit_is_accepted(server: Server) -> None:
    body = {"key": "full", "value": ""}
    body["value"] = "x" * (LIMIT - len(json.dumps(body)))
    with server.connection() as connection:
        assert ask(connection, "POST", V1, body)[0] == 200


def test_request_without_a_body_is_answered(server: Server) -> None:
    with server.connection() as connection:
        assert ask(connection, "POST", V1)[0] == 400
        assert ask(connection, "PATCH", f"{V2}/k")[0] == 422


def test_body_that_ends_early_is_refused(server: Server) -> None:
    head = f"POST {V1} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", server.port), SECONDS) as client:
        client.sendall(f'{head}Content-Length: 100\r\n\r\n{{"key": "k", "value": "1"}}'.encode())
        client.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: client.recv(65536), b""))

    # waitress does not call the application before it has the whole body.
    assert answer.startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 ")) or server.name == "waitress"


def test_chunked_body_is_read_if_the_server_decodes_it(server: Server) -> None:
    body = b"".join(
        b"%x\r\n%b\r\n" % (len(part), part)
        for part in (b'{"key": "chun', b'ked", "value": "1"}', b"")
    )
    head = f"POST {V1} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    with server.connection() as connection:
        connection.connect()
        # At once: a server that does not read the chunks may close before more bytes are sent.
        connection.sock.sendall(f"{head}Content-Type: application/json\r\n\r\n".encode() + body)
        response = HTTPResponse(connection.sock, method="POST")
        response.begin()
        status, _ = read(response)

    assert status == (400 if server.name == "wsgiref" else 200)


def test_kept_connection_has_many_requests(server: Server) -> None:
    with server.connection() as connection:
        for number in range(3):
            assert ask(connection, "POST", V1, {"key": f"kept-{number}", "value": "1"})[0] == 200
            kept = connection.sock is not None
            assert ask(connection, "POST", "/api/v1/nothing", {"x": "y" * 100})[0] == 404
            assert kept == (server.name == "waitress")
