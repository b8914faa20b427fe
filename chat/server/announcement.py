"""What a start says in the terminal: the address to open, who answers, and the way to the desk."""

import ipaddress
import logging
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

from chat.logs.logging import formatter
from chat.owner.welcome import link, local_address
from chat.owner.words import say
from chat.services import Services
from chat.settings.model import Settings
from chat.settings.words import LANGUAGES
from chat.storage.engine.kinds import StorageError

# More names would not fit a line.
MOST_NAMES = 5
_EVERY_ADDRESS = ("0.0.0.0", "::")
# There the address is one of the container's network, at which nobody reaches it.
_SIGNS_OF_A_CONTAINER = ("/.dockerenv", "/run/.containerenv")


def announce(site: Services, key: str) -> None:
    """Says in both languages that the site runs, and where."""
    _say("open_site", site, addresses="  ".join(addresses(site.settings)))
    if site.agents.is_demo:
        _say("runs_demo", site)
    else:
        names = [agent.name for agent in site.agents.all]
        more = " …" if len(names) > MOST_NAMES else ""
        _say("runs_agents", site, names=", ".join(names[:MOST_NAMES]) + more)
    announce_desk(site, key)


def announce_desk(site: Services, key: str) -> None:
    """Makes the key of this start good and prints its link, else the desk's own address."""
    try:
        is_new = site.welcome.offer(key)
    except StorageError as error:
        logging.getLogger("chat.welcome").warning("no link to the desk: %s", error)
        return
    if is_new:
        _say("desk_link", site)
        _print(link(site.settings, key), site)
    else:
        _say("desk_address", site, address=f"{next(addresses(site.settings))}/admin")


def addresses(settings: Settings) -> Iterator[str]:
    """Where the site can be opened: by its visitors, on this machine, in its network."""
    if settings.public_url:
        yield settings.public_url
    yield local_address(settings)
    if settings.host in _EVERY_ADDRESS and (address := _address_in_the_network()):
        yield f"http://{address}:{settings.port}"


def _address_in_the_network() -> str | None:
    """The private address of this machine; None where it has none, or is a container."""
    if any(Path(sign).exists() for sign in _SIGNS_OF_A_CONTAINER):
        return None
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            # Nothing is sent: the system only chooses the address that it would come from.
            probe.connect(("10.255.255.255", 9))
            address = ipaddress.ip_address(probe.getsockname()[0])
    except OSError:
        return None
    return str(address) if address.is_private and not address.is_loopback else None


def _say(id: str, site: Services, **facts: object) -> None:
    _print(" / ".join(say(id, language, **facts) for language in LANGUAGES), site)


def _print(message: str, site: Services) -> None:
    """A line as those of the log, which itself blanks out what looks like a key."""
    record = logging.LogRecord("chat.welcome", logging.INFO, __file__, 0, message, None, None)
    print(formatter(site.settings.log_format).format(record), file=sys.stderr, flush=True)
