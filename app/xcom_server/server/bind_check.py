"""Who could come in where nobody is asked: addresses beyond this machine are refused."""

import socket
from ipaddress import ip_address
from typing import Any

from xcom_server.settings import Settings


class InsecureBind(RuntimeError):
    """Everyone is an admin, and more than this machine could come in."""


def refuse_public_bind(settings: Settings, address: Any) -> None:
    """Raise InsecureBind for an address beyond loopback, where there are no users.

    An address is gunicorn's: a host and a port, the number of an open socket, or a path.
    """
    if isinstance(address, int):
        try:
            with socket.fromfd(address, socket.AF_INET, socket.SOCK_STREAM) as listener:
                address = listener.getsockname()
        except OSError as error:
            raise InsecureBind(f"fd://{address} cannot be listened on: {error.strerror}") from None
    if settings.auth == "none" and not _is_loopback(address):
        place = ":".join(map(str, address[:2])) if isinstance(address, tuple) else address
        raise InsecureBind(
            f"with XCOM_AUTH=none everyone is an admin, which is allowed on loopback alone, not on"
            f" {place}. Listen on 127.0.0.1, or add users (xcom-server user add NAME --role ROLE)"
            " and set XCOM_AUTH=users.")


def _is_loopback(address: Any) -> bool:
    if not isinstance(address, tuple):  # a path: who else may reach it, nobody can tell
        return False
    if not address[0]:  # every address there is
        return False
    try:
        found = socket.getaddrinfo(address[0], None)
    except OSError:
        return True  # nobody can listen there; gunicorn says why
    return all(ip_address(str(each[4][0])).is_loopback for each in found)
