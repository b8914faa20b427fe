"""How an answer is ended from another thread: it wakes sleepers and hangs up connections."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stopped(Exception):
    """Raised inside a provider after `Stop.request`.

    It is no error: the answer ends where it is.
    """


class Stop:
    """A request to end an answer.

    Any thread may make it. It wakes the reader where that sleeps, and calls its interrupts, which
    hang up.
    """

    def __init__(self) -> None:
        self._requested = threading.Event()
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []

    def request(self) -> None:
        """Asks for the end. Returns at once; asking again changes nothing."""
        with self._lock:
            interrupts = [] if self._requested.is_set() else list(self._interrupts)
            self._requested.set()
        # Outside the lock, which the reader takes when it leaves its block.
        for interrupt in interrupts:
            interrupt()

    @property
    def is_requested(self) -> bool:
        return self._requested.is_set()

    def check(self) -> None:
        """Raises Stopped when the end has been asked for."""
        if self._requested.is_set():
            raise Stopped

    def sleep(self, seconds: float) -> None:
        """Sleeps, but wakes at once and raises Stopped when the end is asked for."""
        if self._requested.wait(seconds):
            raise Stopped

    @contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Calls `interrupt` when the end is asked for inside the block, or was before it."""
        with self._lock:
            self._interrupts.append(interrupt)
            already = self._requested.is_set()
        if already:
            interrupt()
        try:
            yield
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)
