"""Certificates of an authority that only the tests know."""

import ssl

from trustme import CA


def certified(authority: CA, *names: str) -> ssl.SSLContext:
    """What a server needs that has these names."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context
