"""Names of hosts: in the headers Host and Origin, and in lists of settings."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import NamedTuple

from xcom_server.formats.addresses import parse_address

ANY = "*"  # the item of a list that turns its check off

_LABELS = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_NAME = re.compile(_LABELS)
_HOST = re.compile(rf"({_LABELS}\.?|\[[0-9a-f:.]+\])(?::([0-9]{{0,5}}))?")
_ORIGIN = re.compile(r"([a-z][a-z0-9+.-]*)://(.+)")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


class Origin(NamedTuple):
    """The parts of an origin; `port` is empty if it is missing and the scheme has no default."""

    scheme: str
    name: str
    port: str


def items(text: str) -> list[str]:
    """Return the items of a list that is separated by commas, in lower case."""
    return [item for each in text.lower().split(",") if (item := each.strip())]


def name_of(host: str) -> str:
    """Return the name in a Host header, without its port; "" if the header is malformed.

    The name is in lower case, without a dot at its end and without the brackets of IPv6.
    """
    return _split(host)[0]


def parse_origin(text: str) -> Origin | None:
    """Return the parts of an Origin header, None if it is `null` or malformed."""
    found = _ORIGIN.fullmatch(text.lower())
    name, port = _split(found[2]) if found else ("", "")
    return (
        Origin(found[1], name, port or _DEFAULT_PORTS.get(found[1], "")) if found and name else None
    )


def has_host(origin: str, host: str) -> bool:
    """Return whether an Origin header has the name and the port of a Host header.

    A Host has no scheme. That of the origin may be https although the request is not, if a proxy
    received it with TLS; it also has the default of a missing port.
    """
    found = parse_origin(origin)
    return found is not None and found == parse_origin(f"{found.scheme}://{host}")


def is_loopback(name: str) -> bool:
    """Return whether a name is `localhost`, a name below it, or a loopback address."""
    if name == "localhost" or name.endswith(".localhost"):
        return True
    address = parse_address(name)
    return address is not None and address.is_loopback


def is_local(name: str) -> bool:
    """Return whether a name is an IP address or has no dot, so that no domain can have it."""
    return "." not in name or parse_address(name) is not None


def are_names(text: str) -> bool:
    """Return whether a text is a list of members of `Names`, or of `*`."""
    return all(
        item == ANY or _NAME.fullmatch(item.removeprefix("*.")) or _network(item)
        for item in items(text)
    )


def are_origins(text: str) -> bool:
    """Return whether a text is a list of origins such as `https://app.example:8443`, or of `*`."""
    return all(item == ANY or parse_origin(item) for item in items(text))


class Names:
    """A set of names: `a.example`, `*.a.example` (all names below it), addresses and networks."""

    def __init__(self, members: Iterable[str]) -> None:
        """Take members in lower case."""
        self._exact = set(members)
        self._suffixes = tuple(each[1:] for each in self._exact if each.startswith("*."))
        self._networks = [network for each in self._exact if (network := _network(each))]

    def __contains__(self, name: str) -> bool:
        """Return whether a name, as `name_of` returns it, is a member."""
        if name in self._exact or name.endswith(self._suffixes):
            return True
        address = parse_address(name)
        return address is not None and any(address in network for network in self._networks)


def _split(host: str) -> tuple[str, str]:
    found = _HOST.fullmatch(host.lower())
    return (found[1].rstrip(".").strip("[]"), found[2] or "") if found else ("", "")


def _network(item: str) -> IPv4Network | IPv6Network | None:
    try:
        return ip_network(item.strip("[]"))
    except ValueError:
        return None
