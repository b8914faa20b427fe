"""How many of somebody's things go on at once, such as the live answers of a visitor."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol


class Bound(NamedTuple):
    """At most so many of a name go on at once; 0 for any number."""

    name: str
    most: int


class AtOnce(Protocol):
    """Counts what goes on, by name: in one process, or in all of them together.

    `look_s` is how long it may go unnoticed that something has ended in another process.
    """

    look_s: float

    def begin(self, bounds: Sequence[Bound]) -> str | None:
        """Counts one of each name; or none, and returns the name that has as many as it may."""

    def add(self, names: Iterable[str]) -> None:
        """Counts one of each name, bound or not: it goes on already."""

    def end(self, names: Iterable[str]) -> None:
        """Takes one of each name back."""


class LocalAtOnce:
    """AtOnce in the memory of this process."""

    look_s = float("inf")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[str] = Counter()

    def begin(self, bounds: Sequence[Bound]) -> str | None:
        with self._lock:
            for bound in bounds:
                if bound.most and self._counts[bound.name] >= bound.most:
                    return bound.name
            self._counts.update(bound.name for bound in bounds)
        return None

    def add(self, names: Iterable[str]) -> None:
        with self._lock:
            self._counts.update(names)

    def end(self, names: Iterable[str]) -> None:
        with self._lock:
            take_back(self._counts, names)


def take_back(counts: Counter[str], names: Iterable[str]) -> None:
    """Counts one less of each name; what is nought takes no room."""
    for name in names:
        counts[name] -= 1
        if counts[name] <= 0:
            del counts[name]
