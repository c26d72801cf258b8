"""Checks before the first worker starts; one that fails ends the start with one line."""

import socket
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from xcom_server.auth.tokens import load_or_create_key
from xcom_server.auth.users import UsersFile
from xcom_server.errors import DatabaseUnusable, OperatorError
from xcom_server.settings import Settings
from xcom_server.storage.opening import connected_backend
from xcom_server.storage.sql import schema


class InsecureBind(OperatorError):
    """The server would be reachable from other machines while everyone is an admin."""


def check(settings: Settings, addresses: Iterable[Any], workers: int) -> None:
    """Check addresses, users, the token key and the database.

    A missing key is created, and so are the tables in an empty SQLite file.
    """
    check_addresses(settings, addresses)
    if settings.auth == "users":
        UsersFile(settings.users_file).users()
        load_or_create_key(Path(settings.token_key_file))
    url = settings.database_url
    with connected_backend(url) as backend:  # closed after: connections must not cross a fork
        if backend.is_in_memory and workers > 1:
            raise DatabaseUnusable(
                f"{url} is a database in memory, which each of the {workers} workers would have"
                " for itself. Run one worker (--workers 1), or store in a file."
            )
        schema.ensure_current(backend)


def check_addresses(settings: Settings, addresses: Iterable[Any]) -> None:
    """Raise InsecureBind for an address that is not loopback, unless there are users.

    An address is a (host, port, ...) tuple, the file descriptor of a socket, or a path.
    """
    for given in addresses:
        address = _socket_address(given) if isinstance(given, int) else given
        if settings.auth == "none" and not _is_loopback(address):
            place = ":".join(map(str, address[:2])) if isinstance(address, tuple) else address
            raise InsecureBind(
                f"refusing to listen on {place}: with XCOM_AUTH=none everyone is an admin, so only"
                " loopback addresses are allowed. Listen on 127.0.0.1, or add users (xcom-server"
                " user add NAME --role ROLE) and set XCOM_AUTH=users."
            )


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn errors that an operator can fix into one line on standard error and exit status 1."""
    try:
        yield
    except OperatorError as error:
        sys.exit(f"xcom-server: {error}")


def _socket_address(descriptor: int) -> Any:
    try:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as listener:
            return listener.getsockname()
    except OSError as error:
        raise InsecureBind(f"fd://{descriptor} is not a socket: {error.strerror}") from None


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple) or not address[0]:
        return False  # a path, which other users or containers may reach, or all interfaces
    try:
        found = socket.getaddrinfo(address[0], None)
    except OSError:
        return True  # the host has no address, and gunicorn reports why
    return all(ip_address(str(each[4][0])).is_loopback for each in found)
