"""Where a request comes from, as limits and wrong tries are counted; which addresses are this machine's."""

import ipaddress


def address_of(address: str | None) -> str:
    """What counts as one place: an IPv4 address, or the /64 that one connection gets of IPv6."""
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is None:
            return str(ipaddress.ip_network((found, 64), strict=False))
        found = found.ipv4_mapped
    return str(found)


def is_loopback(host: str) -> bool:
    """Whether a host, by name or address, is this machine and no other can reach it there."""
    try:
        found = ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return host == "localhost"
    return (getattr(found, "ipv4_mapped", None) or found).is_loopback
