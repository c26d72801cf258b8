"""Refuses addresses that other machines can reach while the server has no users."""

import socket
from ipaddress import ip_address
from typing import Any

from xcom_server.settings import Settings


class InsecureBind(RuntimeError):
    """The server would be reachable from other machines while everyone is an admin."""


def refuse_public_bind(settings: Settings, address: Any) -> None:
    """Raise InsecureBind for an address that is not loopback, unless there are users.

    An address is a (host, port, ...) tuple, the file descriptor of a socket, or a path.
    """
    if isinstance(address, int):
        address = _socket_address(address)
    if settings.auth == "none" and not _is_loopback(address):
        place = ":".join(map(str, address[:2])) if isinstance(address, tuple) else address
        raise InsecureBind(
            f"refusing to listen on {place}: with XCOM_AUTH=none everyone is an admin, so only"
            " loopback addresses are allowed. Listen on 127.0.0.1, or add users (xcom-server user"
            " add NAME --role ROLE) and set XCOM_AUTH=users.")


def _socket_address(descriptor: int) -> Any:
    try:
        with socket.fromfd(descriptor, socket.AF_INET, socket.SOCK_STREAM) as listener:
            return listener.getsockname()
    except OSError as error:
        raise InsecureBind(f"fd://{descriptor} cannot be listened on: {error.strerror}") from None


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):  # a path: other users or containers may reach it
        return False
    if not address[0]:  # all interfaces
        return False
    try:
        found = socket.getaddrinfo(address[0], None)
    except OSError:
        return True  # the host has no address, and gunicorn reports why
    return all(ip_address(str(each[4][0])).is_loopback for each in found)
