"""The order of waiting questions: by turns between addresses, then visitors, then first come."""

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Sequence
from itertools import chain
from typing import Generic, NamedTuple, Protocol, TypeVar

T = TypeVar("T", bound=Hashable)


class Origin(NamedTuple):
    """Where a question comes from. An API key is a visitor of its address.

    An unknown address is "", and counts as one place like every other.
    """

    address: str
    visitor: str


class _Level(Protocol[T]):
    """The queue of everybody, of an address, or of a visitor."""

    def __bool__(self) -> bool: ...

    def add(self, item: T, path: Sequence[str]) -> None: ...

    def remove(self, item: T, path: Sequence[str]) -> None: ...

    def head(self) -> T: ...

    def pop(self) -> T: ...

    def order(self) -> list[T]: ...


class _FirstCome(Generic[T]):
    """The questions of one visitor."""

    def __init__(self) -> None:
        self._items: deque[T] = deque()

    def __bool__(self) -> bool:
        return bool(self._items)

    def add(self, item: T, path: Sequence[str]) -> None:
        self._items.append(item)

    def remove(self, item: T, path: Sequence[str]) -> None:
        self._items.remove(item)

    def head(self) -> T:
        return self._items[0]

    def pop(self) -> T:
        return self._items.popleft()

    def order(self) -> list[T]:
        return list(self._items)


class _ByTurns(Generic[T]):
    """Members who are served by turns, each with a queue of its own.

    A round serves everybody who waited when it began. Who comes meanwhile is the first of the next
    round, before those who had a turn in this one. So a newcomer is next after a crowd of one
    member, and a stream of newcomers delays nobody for more than a round.
    """

    def __init__(self, make_queue: Callable[[], _Level[T]]) -> None:
        self._make_queue = make_queue
        # Of those who wait, and of those who had a turn in this round: theirs may be empty.
        self._queues: dict[str, _Level[T]] = {}
        self._round: deque[str] = deque()
        self._newcomers: deque[str] = deque()
        self._served: deque[str] = deque()

    def __bool__(self) -> bool:
        return any(self._members())

    def add(self, item: T, path: Sequence[str]) -> None:
        member, *rest = path
        if member not in self._queues:
            self._queues[member] = self._make_queue()
            self._newcomers.append(member)
        elif not self._queues[member]:
            self._served.append(member)
        self._queues[member].add(item, rest)

    def remove(self, item: T, path: Sequence[str]) -> None:
        member, *rest = path
        self._queues[member].remove(item, rest)
        if not self._queues[member]:
            if member not in self._served:
                del self._queues[member]
            for members in (self._round, self._newcomers, self._served):
                if member in members:
                    members.remove(member)

    def head(self) -> T:
        return self._queues[next(self._members())].head()

    def pop(self) -> T:
        if not self._round:
            self._round = deque(self._members())
            self._newcomers, self._served = deque(), deque()
            self._queues = {member: self._queues[member] for member in self._round}
        member = self._round.popleft()
        item = self._queues[member].pop()
        if self._queues[member]:
            self._served.append(member)
        return item

    def order(self) -> list[T]:
        return _interleave([self._queues[member].order() for member in self._members()])

    def _members(self) -> "chain[str]":
        """All members in the order of their turns."""
        return chain(self._round, self._newcomers, self._served)


class FairQueue(Generic[T]):
    """A queue that no address and no visitor can take for itself."""

    def __init__(self) -> None:
        self._by_turns: _ByTurns[T] = _ByTurns(lambda: _ByTurns(_FirstCome))
        self._origins: dict[T, Origin] = {}
        # Counted when somebody asks for a place, and good until something changes.
        self._places: dict[T, int] = {}

    def __len__(self) -> int:
        return len(self._origins)

    def __contains__(self, item: T) -> bool:
        return item in self._origins

    def add(self, item: T, origin: Origin) -> None:
        self._places.clear()
        self._origins[item] = origin
        self._by_turns.add(item, origin)

    def remove(self, item: T) -> None:
        self._places.clear()
        self._by_turns.remove(item, self._origins.pop(item))

    @property
    def head(self) -> T | None:
        """Who is served next."""
        return self._by_turns.head() if self._origins else None

    def pop(self) -> T:
        """Serves the head."""
        self._places.clear()
        item = self._by_turns.pop()
        del self._origins[item]
        return item

    def ahead_of(self, item: T) -> int:
        """How many are served before this one if nobody else comes."""
        return self._all_places()[item]

    def serves_until(self, is_of: Callable[[Origin], bool]) -> int:
        """How many are served up to the first of such an origin; all of them if there is none."""
        places = (place for item, place in self._all_places().items() if is_of(self._origins[item]))
        return min(places, default=len(self) - 1) + 1

    def _all_places(self) -> dict[T, int]:
        if not self._places:
            self._places = {item: place for place, item in enumerate(self._by_turns.order())}
        return self._places


def _interleave(queues: Iterable[list[T]]) -> list[T]:
    """The first of each queue, then the second of each, and so on."""
    order: list[T] = []
    remaining = list(queues)
    rank = 0
    while remaining:
        remaining = [items for items in remaining if len(items) > rank]
        order.extend(items[rank] for items in remaining)
        rank += 1
    return order
