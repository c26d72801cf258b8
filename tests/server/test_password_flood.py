"""Wrong passwords from many addresses at once, against a server with its argon2 cost."""

import socket
import threading
from base64 import b64encode
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from xcom_server.auth.users import Role, User, write

from tests.support.http_client import status
from tests.support.live_server import LiveServer

pytestmark = pytest.mark.slow

GUESSES = 100
LIST = "/api/v1/dags/~/dagRuns/~/taskInstances/~/xcomEntries"


def answer(port: int, password: str, address: str) -> str:
    """Return the head of the response to a request with ann's name, from a loopback address."""
    credentials = b64encode(f"ann:{password}".encode()).decode()
    with socket.create_connection(("127.0.0.1", port), 60, (address, 0)) as connection:
        connection.sendall(
            f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
            f"Authorization: Basic {credentials}\r\n\r\n".encode()
        )
        return connection.recv(65536).decode()


def test_most_of_a_hundred_guesses_are_refused_without_a_check(tmp_path: Path) -> None:
    """Before, each waited for argon2 in a thread, and /live was not answered meanwhile."""
    hashed = PasswordHasher().hash("secret")  # at the cost of production
    write(tmp_path / "xcom-users.json", {"ann": User("ann", Role.VIEWER, hashed)})
    heads: list[str] = []

    def guess(number: int) -> None:
        heads.append(answer(server.port, f"wrong{number}", f"127.0.1.{number + 1}"))

    with LiveServer(tmp_path, workers=1, XCOM_AUTH="users") as server:
        threads = [threading.Thread(target=guess, args=(number,)) for number in range(GUESSES)]
        for thread in threads:
            thread.start()
        assert status(f"{server.url}/live") == 200
        for thread in threads:
            thread.join(60)
        right = answer(server.port, "secret", "127.0.2.1")

    statuses = [head.split(" ")[1] for head in heads]
    refused = [head for head in heads if head.split(" ")[1] == "429"]
    assert len(statuses) == GUESSES
    assert {*statuses} == {"401", "429"}
    assert GUESSES - len(refused) <= 20  # 6 in our tests, and 43 to 100 before
    assert all("\r\nRetry-After: 1\r\n" in head for head in refused)
    assert right.startswith("HTTP/1.1 200 ")
