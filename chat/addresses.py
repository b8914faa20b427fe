"""Where a request comes from, as limits and wrong tries are counted."""

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
