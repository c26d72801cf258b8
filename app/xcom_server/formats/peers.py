"""Base paths, and lists of peers that are trusted: as in the settings and in headers of proxies."""

import re
from collections.abc import Iterable
from ipaddress import ip_network

from xcom_server.formats.addresses import Address, parse_address

UNIX = "unix"  # a peer that is connected through a Unix socket
_SEGMENT = r"(?!\.\.?(?:/|\Z))[A-Za-z0-9._~-]+"  # neither `.` nor `..`
_BASE_PATH = re.compile(rf"(?:/{_SEGMENT})+")
_MAX_BASE_PATH = 200  # characters
_WITH_PORT = re.compile(r"\[([^\]]+)\](?::[0-9]+)?|([0-9.]+):[0-9]+")


def is_base_path(text: str) -> bool:
    """Return whether a text is a base path such as `/airflow` or `/tools/airflow`.

    Links that begin with it lead to this server: it has no `//`, no dot segments and no character
    that a URL would have to encode.
    """
    return len(text) <= _MAX_BASE_PATH and _BASE_PATH.fullmatch(text) is not None


class Peers:
    """A set of addresses and networks, and perhaps all peers that use a Unix socket."""

    def __init__(self, members: Iterable[str]) -> None:
        """Take texts such as `10.0.0.7`, `10.0.0.0/8`, `::1` and `unix`.

        Raises ValueError for another text, and for a network with bits set after its prefix.
        """
        names = set(members)
        self._unix = UNIX in names
        self._networks = [ip_network(name) for name in names - {UNIX}]

    @classmethod
    def parse(cls, text: str) -> "Peers":
        """Return the peers in a list that is separated by commas; raises ValueError as above."""
        return cls(filter(None, map(str.strip, text.split(","))))

    def __bool__(self) -> bool:
        """Return whether there is any member."""
        return self._unix or bool(self._networks)

    def __contains__(self, peer: str) -> bool:
        """Return whether a peer is a member; "" and "unix:…" are peers with a Unix socket."""
        if not peer or peer.startswith(f"{UNIX}:"):
            return self._unix
        address = parse_peer(peer)
        return address is not None and any(address in network for network in self._networks)


def parse_peer(text: str) -> Address | None:
    """Return an address of a header of a proxy, perhaps with a port; None if it is none.

    An IPv4 address that was mapped to IPv6 is returned as IPv4, and without an IPv6 zone.
    """
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    return parse_address(text.partition("%")[0])
