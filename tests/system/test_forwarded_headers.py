"""Headers that gunicorn uses by default, although any client on loopback can send them."""

import json
import socket
from collections.abc import Iterator

import pytest

from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    """Yield a server at its default settings."""
    with LiveServer(tmp_path_factory.mktemp("server"), workers=1) as server:
        yield server


def response(server: LiveServer, *lines: str) -> tuple[int, str]:
    """Return the status and the body of the response to a request with these lines."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        head = (*lines, "Host: localhost", "Connection: close", "", "")
        client.sendall("\r\n".join(head).encode())
        with client.makefile("rb") as stream:
            status, _, body = stream.read().decode().partition("\r\n\r\n")
    return int(status.split()[1]), body


@pytest.mark.parametrize(
    "header", ["SCRIPT_NAME: /x", "SCRIPT_NAME: /public", "PATH_INFO: /metrics", "Script-Name: /x"]
)
def test_header_that_gunicorn_would_use_is_ignored(server: LiveServer, header: str) -> None:
    assert response(server, "GET /live HTTP/1.1", header) == (200, '{"status": "live"}')
    assert response(server, "GET /public/metrics HTTP/1.1", header)[0] == 404


@pytest.mark.parametrize(
    "headers",
    [
        ["X-Forwarded-Proto: https"],
        ["X-Forwarded-Proto: https", "X-Forwarded-Ssl: off"],
        ["X-Forwarded-Prefix: /evil"],
        ["X-Forwarded-Host: evil.example"],
    ],
)
def test_headers_of_proxies_that_are_not_trusted_are_ignored(
    server: LiveServer, headers: list[str]
) -> None:
    status, document = response(server, "GET /openapi.json HTTP/1.1", *headers)

    assert status == 200
    assert [each["url"] for each in json.loads(document)["servers"]] == ["/"]
