"""Why PostgreSQL refuses connections, as an SQLSTATE.

libpq returns only a text, in the language of the server (`lc_messages`).  A server that starts,
stops or has too many connections sends its SQLSTATE before the login, so that a second connection,
without libpq, can read it.
"""

import re
import socket
import struct
from contextlib import closing

SECONDS = 0.5  # the time-out of each wait for the server

REFUSED = "08004"
"""The SQLSTATE for all other reasons, such as a wrong password or a missing database."""

_VERSION = 3 << 16  # of the protocol
# This connection is not encrypted, so that it does not contain the user and the database.
_PARAMETERS = b"user\0xcom-server\0database\0xcom-server\0\0"
_STARTUP = struct.pack("!II", 8 + len(_PARAMETERS), _VERSION) + _PARAMETERS
_BEFORE_LOGIN = re.compile(rb"\0C(57P03|53300)\0")  # starting or stopping; too many connections
_MAX_BYTES = 4096


def sqlstate_of_refusal(host: str, port: str) -> str | None:
    """Return why a server has refused a connection, or None if no server responds.

    `host` is a name, an address or the folder of a Unix socket.
    """
    try:
        with closing(_connect(host, port)) as connection:
            connection.sendall(_STARTUP)
            answer = _read(connection)
    except (OSError, ValueError):
        return None
    found = _BEFORE_LOGIN.search(answer)
    return found[1].decode() if found else REFUSED if answer else None


def _connect(host: str, port: str) -> socket.socket:
    if not host.startswith("/"):
        return socket.create_connection((host, int(port)), SECONDS)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(SECONDS)
    try:
        connection.connect(f"{host}/.s.PGSQL.{port}")
    except BaseException:
        connection.close()
        raise
    return connection


def _read(connection: socket.socket) -> bytes:
    """Return the first bytes of the response: an error, after which the server closes, or others.

    An error starts with an E; other responses are requests of the login.
    """
    answer = b""
    while len(answer) < _MAX_BYTES and (part := connection.recv(_MAX_BYTES)):
        answer += part
        if not answer.startswith(b"E"):
            break
    return answer
