"""The limit on open event streams, below the server's connections: pages always get one."""

import threading
from collections import Counter
from collections.abc import Callable

from chat.refusals import StreamRefusal

# A school or an office behind one address reads along; one browser cannot take all places.
PER_ADDRESS = 100
# Open files of the process: three for each stream (reader, platform, database), and all others.
FILES_EACH, OTHER_FILES = 3, 500
RETRY_AFTER_S = 10.0


def places_for(wanted: int, open_files: int) -> int:
    """How many of the wanted streams fit into a process with this limit of open files.

    A negative limit is none.
    """
    if open_files < 0:
        return wanted
    return max(1, min(wanted, (open_files - OTHER_FILES) // FILES_EACH))


class Streams:
    """Gives a place to each stream: `most` in all, `per_address` for one address, None for any
    number.
    """

    def __init__(self, most: int, per_address: int | None = PER_ADDRESS) -> None:
        self._most = most
        self._per_address = per_address
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._total = 0

    @property
    def open(self) -> int:
        """How many streams are open."""
        return self._total

    def enter(self, address: str) -> Callable[[], None]:
        """Takes a place and returns the function that gives it back, which may be called twice.

        Raises StreamRefusal rate_limited when no place is free.
        """
        with self._lock:
            is_crowded = self._per_address is not None and self._open[address] >= self._per_address
            if self._total >= self._most or (address and is_crowded):
                raise StreamRefusal(
                    "rate_limited", f"{self._total} streams", retry_after=RETRY_AFTER_S
                )
            self._open[address] += 1
            self._total += 1
        # Locked by the first call of leave; every further one finds it so.
        has_left = threading.Lock()

        def leave() -> None:
            if not has_left.acquire(blocking=False):
                return
            with self._lock:
                self._total -= 1
                self._open[address] -= 1
                if not self._open[address]:
                    del self._open[address]

        return leave
