"""How many event streams are open: fewer than the server has connections, so that pages always find one."""

import threading
from collections import Counter
from collections.abc import Callable

from chat.refusals import StreamRefusal

PER_ADDRESS = 100
FILES_EACH, OTHER_FILES = (
    3,
    500,
)  # of the process's open files: a reader, the platform, the database
RETRY_AFTER_S = 10.0


def room(wished: int, open_files: int) -> int:
    """How many streams fit into a process that may have so many open files (negative: any number)."""
    if open_files < 0:
        return wished
    return max(1, min(wished, (open_files - OTHER_FILES) // FILES_EACH))


class Streams:
    """Gives a place to each stream: `most` in all, `per_address` to one address; None: no such limit."""

    def __init__(self, most: int, per_address: int | None = PER_ADDRESS) -> None:
        self._most = most
        self._per_address = per_address
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()
        self._total = 0

    @property
    def open(self) -> int:
        """How many there are."""
        return self._total

    def enter(self, address: str) -> Callable[[], None]:
        """Takes a place; call what is returned to give it back, more than once does no harm.

        Raises StreamRefusal rate_limited when there is none.
        """
        with self._lock:
            is_crowded = self._per_address is not None and self._open[address] >= self._per_address
            if self._total >= self._most or (address and is_crowded):
                raise StreamRefusal(
                    "rate_limited", f"{self._total} streams", retry_after=RETRY_AFTER_S
                )
            self._open[address] += 1
            self._total += 1
        left = threading.Lock()

        def leave() -> None:
            if not left.acquire(blocking=False):
                return
            with self._lock:
                self._total -= 1
                self._open[address] -= 1
                if not self._open[address]:
                    del self._open[address]

        return leave
