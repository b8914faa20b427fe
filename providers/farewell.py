"""Letting a platform close its stream itself after its last word."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from providers.errors import ProviderError
from providers.stop import Stop, Stopped

LINGER_S = 3.0


class Farewell:
    """What `farewell` gives: `stop` for the request, `begin()` for the moment of the last word."""

    def __init__(self, linger_s: float) -> None:
        self.stop = Stop()
        self.has_begun = False
        self.timer = threading.Timer(linger_s, self.stop.request)
        self.timer.daemon = True

    def begin(self) -> None:
        if not self.has_begun:
            self.has_begun = True
            self.timer.start()


@contextmanager
def farewell(stop: Stop, linger_s: float = LINGER_S) -> Iterator[Farewell]:
    """Lets a platform close its stream itself after its last word, but not for longer than
    `linger_s`.

    Were we to hang up first, it might take the reader for lost and forget the answer. What goes
    wrong after the last word is no failure any more.
    """
    ending = Farewell(linger_s)
    try:
        with stop.interrupting(ending.stop.request):
            yield ending
    except (Stopped, ProviderError):
        if not ending.has_begun:
            raise
    finally:
        ending.timer.cancel()
