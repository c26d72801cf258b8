"""`xcom-server health`: the check of a container's health."""

import http.client
import socket
from contextlib import closing

import click

from xcom_server.settings import Settings

TIMEOUT_SECONDS = 2.0


@click.command()
def health() -> None:
    """Check that the server at XCOM_BIND responds.

    It requests /live on this machine, which needs no credentials. The exit status is 1 without a
    response.
    """
    address = Settings.from_env().bind
    try:
        with closing(_connection(address)) as connection:
            connection.request("GET", "/live")
            status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        raise click.ClickException(f"no response from {address}: {str(error).strip()}") from None
    if status != 200:
        raise click.ClickException(f"/live at {address} is a {status}")


def _connection(address: str) -> http.client.HTTPConnection:
    """Return a connection to an address in the form of XCOM_BIND.

    For every address of the machine, it is that of loopback.  Raises ClickException for `fd://N`.
    """
    host, _, port = address.rpartition(":")
    if address.startswith("unix:"):
        return _UnixConnection(address.removeprefix("unix:"))
    if address.startswith("fd:"):
        raise click.ClickException(f"{address} has no address. Set XCOM_BIND to HOST:PORT.")
    is_any = host in ("0.0.0.0", "[::]")
    name = "localhost" if is_any else host.strip("[]")
    return http.client.HTTPConnection(name, int(port), timeout=TIMEOUT_SECONDS)


class _UnixConnection(http.client.HTTPConnection):
    """A connection to a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self._path = path

    def connect(self) -> None:
        """Connect to the path; a name after `@` is in the abstract namespace."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(self._path.replace("@", "\0", 1) if self._path[0] == "@" else self._path)
