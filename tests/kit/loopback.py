"""Keeps tests on this machine: a test that looks up or connects to another one fails there and
then.
"""

import ipaddress
import sys
from typing import Any


def _check(event: str, args: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        host = args[0]
    elif event == "socket.connect" and isinstance(args[1], tuple):
        host = args[1][0]
    else:
        return
    name = host.decode() if isinstance(host, bytes) else host
    if name not in (None, "", "localhost") and not _is_loopback(name):
        raise RuntimeError(f"a test tried to reach {name}")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def stay_on_loopback() -> None:
    """For the rest of the process; an audit hook cannot be taken off."""
    sys.addaudithook(_check)
