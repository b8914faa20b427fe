"""How many questions wait for one account: a bound for all, for an address and for a visitor."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from chat.agents.fair_queue import Origin
from chat.refusals import QueueRefusal

# A waiting question costs a thread and what it carries. At a platform with two seats the last of
# so many would wait for hours, and at twenty calls a second for two minutes.
WAITING = 2000
# Reached only where VISITOR_LIVE_ANSWERS allows more: by a program that asks many things at once.
WAITING_OF_VISITOR = 100

# Seconds until the first question of such an origin is served.
WaitFor = Callable[[Callable[[Origin], bool]], float]


class RoomPlace:
    """A question's place in the room, from its admission to its first call."""

    def __init__(self, room: "WaitingRoom", origin: Origin) -> None:
        self._origin = origin
        self._room = room
        self._is_left = False

    def leave(self) -> None:
        """Makes room for another question. It may be called twice."""
        if not self._is_left:
            self._is_left = True
            self._room.count(self._origin, -1)


@dataclass(frozen=True, slots=True)
class _Bound:
    """So many questions may wait of the origins for which `is_of` is true, counted as `name`."""

    name: str
    most: int
    is_of: Callable[[Origin], bool]


class WaitingRoom:
    """Counts who waits. An address counts for `address_share` visitors; with 0 it has no bound."""

    def __init__(self, address_share: int, wait_for: WaitFor) -> None:
        self._most_of_address = address_share * WAITING_OF_VISITOR
        self._wait_for = wait_for
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """How many questions wait."""
        return self._counts["all"]

    def check(self, origin: Origin) -> None:
        """Raises QueueRefusal rate_limited when one more of this origin would be one too many."""
        for bound in self._bounds(origin):
            count = self._counts[bound.name]
            if count >= bound.most:
                detail = f"{count} questions in line of {bound.name}"
                wait = max(1.0, self._wait_for(bound.is_of))
                raise QueueRefusal("rate_limited", detail, retry_after=wait)

    def enter(self, origin: Origin) -> RoomPlace:
        """Counts one more."""
        self.count(origin, 1)
        return RoomPlace(self, origin)

    def count(self, origin: Origin, change: int) -> None:
        """Changes the counts that this origin is part of."""
        with self._lock:
            for bound in self._bounds(origin):
                self._counts[bound.name] += change
                if not self._counts[bound.name]:
                    del self._counts[bound.name]

    def _bounds(self, origin: Origin) -> Iterator[_Bound]:
        yield _Bound("all", WAITING, lambda other: True)
        yield _Bound(
            f"visitor {origin.visitor}",
            WAITING_OF_VISITOR,
            lambda other: other.visitor == origin.visitor,
        )
        if origin.address and self._most_of_address:
            yield _Bound(
                f"address {origin.address}",
                self._most_of_address,
                lambda other: other.address == origin.address,
            )
