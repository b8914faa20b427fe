"""What an address counts as in limits and in the brake on guessing; loopback addresses."""

import ipaddress


def address_of(address: str | None) -> str:
    """What counts as one place: an IPv4 address, or a /64 of IPv6, which one connection gets."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is None:
            return str(ipaddress.ip_network((ip, 64), strict=False))
        ip = ip.ipv4_mapped
    return str(ip)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and no other can reach it there."""
    try:
        ip = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return (getattr(ip, "ipv4_mapped", None) or ip).is_loopback
