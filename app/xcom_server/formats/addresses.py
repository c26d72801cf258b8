"""IP addresses in texts of clients, proxies and settings."""

from ipaddress import IPv4Address, IPv6Address, ip_address

Address = IPv4Address | IPv6Address


def parse_address(text: str) -> Address | None:
    """Return an address, None for another text.

    An IPv4 address that was mapped to IPv6 is returned as IPv4.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    is_mapped = isinstance(address, IPv6Address) and address.ipv4_mapped
    return is_mapped or address
