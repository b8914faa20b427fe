"""Whom the owner has shut out: visitors by their name in the log, addresses and networks."""

import ipaddress
import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterable

from chat.refusals import BlockRefusal
from chat.storage.owner.blocks import StoredBlocks
from chat.storage.owner.log import Watch

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

# A visitor's name is the beginning of the pseudonym that platforms know: of 48 bits, so that no
# two visitors of a site share one.
NAME_LENGTH = 12
# The id of a conversation has 29 such digits, and must not be taken for a name.
NAME = re.compile("[0-9a-f]{8,12}|[0-9a-f]{32}")
# Whoever blocks more than this at once shuts out whole countries.
WIDEST = {4: 8, 6: 16}
LOOPBACK = [ipaddress.ip_network(text) for text in ("127.0.0.0/8", "::1/128")]
# Where proxies, containers and the owner's own machines are.
PRIVATE = [
    ipaddress.ip_network(text)
    for text in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "169.254.0.0/16",
        "100.64.0.0/10",
        "fc00::/7",
        "fe80::/10",
    )
]


def name_of(pseudonym: str) -> str:
    """The name by which the owner knows a visitor."""
    return pseudonym[:NAME_LENGTH]


def network_of(text: str) -> IpNetwork | None:
    """The network that an address or network names, None when it is neither.

    One address of IPv6 stands for its /64, which one connection gets.
    """
    try:
        network = ipaddress.ip_network(text.strip().partition("%")[0], strict=False)
    except ValueError:
        return None
    if isinstance(network, ipaddress.IPv4Network):
        return network
    mapped = network.network_address.ipv4_mapped
    if mapped is not None and network.prefixlen >= 96:
        return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network if network.prefixlen <= 64 else network.supernet(new_prefix=64)


def is_loopback(network: IpNetwork) -> bool:
    """Whether a network holds addresses of this machine alone."""
    return _overlaps(network, LOOPBACK)


def is_private(network: IpNetwork) -> bool:
    """Whether a network holds addresses that the internet does not know."""
    return _overlaps(network, PRIVATE)


def is_too_wide(network: IpNetwork) -> bool:
    """Whether a network holds so much that a block of it must be a mistake."""
    return network.prefixlen < WIDEST[network.version]


class Blocks:
    """Refuses whom the owner has shut out; knows of a change within LOOK_EVERY_S.

    Sooner where somebody says `look_again`.
    """

    def __init__(self, stored: StoredBlocks, clock: Callable[[], float] = time.monotonic) -> None:
        self._stored = stored
        self._watch = Watch(stored.version, clock)
        self._names: frozenset[str] = frozenset()
        # By the family and the length of the prefix, the networks as numbers.
        self._networks: dict[tuple[int, int], frozenset[int]] = {}

    def read(self, subjects: Iterable[str]) -> None:
        """Takes these blocks in place of those before."""
        names = set()
        networks = defaultdict(set)
        for subject in subjects:
            network = network_of(subject) if "/" in subject else None
            if network is None:
                names.add(subject)
            else:
                number = int(network.network_address)
                networks[network.version, network.prefixlen].add(number)
        self._names = frozenset(names)
        self._networks = {key: frozenset(numbers) for key, numbers in networks.items()}

    def look_again(self) -> None:
        """The owner may have changed something: the next who comes is judged by what is stored."""
        self._watch.look_again()

    def check_address(self, address: str | None) -> None:
        """Raises BlockRefusal for an address that is shut out."""
        self._look()
        if not self._networks:
            return
        network = network_of(address or "")
        if network is None:
            return
        number = int(network.network_address)
        for (version, length), numbers in self._networks.items():
            if version == network.version:
                shift = network.max_prefixlen - length
                if number >> shift << shift in numbers:
                    raise BlockRefusal("rate_limited", "the owner has blocked this address")

    def check_visitor(self, pseudonym: str) -> None:
        """Raises BlockRefusal for a visitor who is shut out."""
        self._look()
        lengths = {len(name) for name in self._names}
        if any(pseudonym[:length] in self._names for length in lengths):
            raise BlockRefusal("rate_limited", "the owner has blocked this visitor")

    def _look(self) -> None:
        self._watch.look(lambda: self.read(block.subject for block in self._stored.all()))


def _overlaps(network: IpNetwork, others: Iterable[IpNetwork]) -> bool:
    return any(network.version == other.version and network.overlaps(other) for other in others)
