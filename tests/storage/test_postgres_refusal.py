"""Why PostgreSQL refuses connections is found out by SQLSTATE, in any language of the server."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import psycopg
import pytest
from xcom_server.errors import Unavailable
from xcom_server.storage.database.postgres_refusal import REFUSED, sqlstate_of_refusal
from xcom_server.storage.models import XComKey
from xcom_server.storage.sql.store import SqlXComStore

from tests.support.postgres import Postgres
from tests.support.stores import OpenBackend, limited

NAME = XComKey("d", "r", "t", -1, "k")
ENCRYPTION = (80877103, 80877104)  # the codes by which clients request TLS and GSSAPI


class RefusingServer:
    """A PostgreSQL that answers each startup message with the same bytes and closes."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection = self._listener.accept()[0]
                with connection, suppress(OSError), connection.makefile("rb") as messages:
                    while self._code(messages.read(8)) in ENCRYPTION:
                        connection.sendall(b"N")
                    connection.sendall(self._answer)

    @staticmethod
    def _code(start: bytes) -> int:
        return int(struct.unpack("!II", start)[1]) if len(start) == 8 else 0


def error(sqlstate: str, text: str) -> bytes:
    fields = f"SSCHWERWIEGEND\0VFATAL\0C{sqlstate}\0M{text}\0\0".encode()
    return b"E" + struct.pack("!I", len(fields) + 4) + fields


@pytest.fixture
def servers() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


ANSWERS = {
    "starting": (
        error("57P03", "das Datenbanksystem wird gestartet"),
        "57P03",
        "The database is starting or shutting down.",
    ),
    "full": (
        error("53300", "tut mir leid, schon zu viele Verbindungen"),
        "53300",
        "The database accepts no more connections.",
    ),
    "password": (
        error("28P01", "Passwort-Authentifizierung fehlgeschlagen"),
        REFUSED,
        "The database did not accept the connection.",
    ),
    "silent": (b"", None, "The database cannot be reached."),
}


@pytest.mark.parametrize(("answer", "sqlstate", "reason"), ANSWERS.values(), ids=ANSWERS)
def test_refusal_in_another_language_is_classified(
    servers: ExitStack,
    open_backend: OpenBackend,
    answer: bytes,
    sqlstate: str | None,
    reason: str,
) -> None:
    server = RefusingServer(answer)
    servers.callback(server.close)
    backend = open_backend(
        f"postgresql+psycopg://u@127.0.0.1:{server.port}/d", limited(connect_timeout_seconds=30)
    )

    with pytest.raises(Unavailable) as unavailable:
        SqlXComStore(backend).get(NAME)

    assert unavailable.value.reason == reason
    assert sqlstate_of_refusal("127.0.0.1", str(server.port)) == sqlstate


@pytest.mark.parametrize("place", [("127.0.0.1", "1"), ("/nowhere", "1"), ("127.0.0.1", "")])
def test_no_server_has_no_sqlstate(place: tuple[str, str]) -> None:
    assert sqlstate_of_refusal(*place) is None


@pytest.mark.slow
def test_refusals_of_a_real_server(tmp_path: Path, open_backend: OpenBackend) -> None:
    few = {"max_connections": "4", "superuser_reserved_connections": "1", "max_wal_senders": "0"}
    with Postgres(tmp_path, **few) as postgres, ExitStack() as used:

        def reason(url: str) -> str:
            backend = open_backend(url, limited(connect_timeout_seconds=30))
            with pytest.raises(Unavailable) as unavailable:
                SqlXComStore(backend).get(NAME)
            return unavailable.value.reason

        assert reason(f"{postgres.url}x") == "The database did not accept the connection."
        for _ in range(4):
            used.enter_context(psycopg.connect(postgres.conninfo))
        for url in (postgres.url, postgres.socket_url):
            assert reason(url) == "The database accepts no more connections."
