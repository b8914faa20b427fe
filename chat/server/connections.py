"""Connections that say nothing give way: those of an address that has too many, then anybody's."""

from collections import Counter, OrderedDict
from collections.abc import Hashable

# One address has so many connections. A browser has six; a school behind one address has a class.
PER_ADDRESS = 512


class Connections:
    """The open connections of a process: `most` in all, `per_address`, None for any number.

    A key names a connection. It is idle while it waits for its next request, or for the rest of the
    head of one.
    """

    def __init__(self, most: int, per_address: int | None = PER_ADDRESS) -> None:
        self._most = most
        self._per_address = per_address
        self._addresses: dict[Hashable, str] = {}
        self._counts: Counter[str] = Counter()
        # In the order in which they fell silent. The first of a plain dict takes long to find when
        # many were taken from its beginning.
        self._idle: OrderedDict[Hashable, None] = OrderedDict()
        self._idle_by_address: dict[str, OrderedDict[Hashable, None]] = {}

    def __len__(self) -> int:
        return len(self._addresses)

    def open(self, key: Hashable, address: str) -> Hashable | None:
        """Counts a new connection, and returns the one that has to end for it.

        That is the one longest idle. An address that has none, and too many, has to do without the
        new one.
        """
        self._addresses[key] = address
        self._counts[address] += 1
        if self._per_address is not None and self._counts[address] > self._per_address:
            return next(iter(self._idle_by_address.get(address, ())), key)
        if len(self._addresses) > self._most:
            return next(iter(self._idle), None)
        return None

    def close(self, key: Hashable) -> None:
        """Forgets a connection that has ended."""
        self.end_idling(key)
        address = self._addresses.pop(key)
        self._counts[address] -= 1
        if not self._counts[address]:
            del self._counts[address]

    def begin_idling(self, key: Hashable) -> None:
        """The connection waits for a request from now on."""
        self._idle[key] = None
        self._idle_by_address.setdefault(self._addresses[key], OrderedDict())[key] = None

    def end_idling(self, key: Hashable) -> None:
        """A request has come, or the connection has to end."""
        if key not in self._idle:
            return
        del self._idle[key]
        address = self._addresses[key]
        idle = self._idle_by_address[address]
        del idle[key]
        if not idle:
            del self._idle_by_address[address]
