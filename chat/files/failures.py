"""What failed a moment ago, and is not tried again before a while has passed."""

import time
from collections import OrderedDict
from collections.abc import Callable

from chat.refusals import PictureRefusal

# A page shows the same address many times, and each time would wait for the platform.
PAUSE_S = 10.0
MOST = 200


class Failures:
    """The refusals of pictures, by their address; of many the latest."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._refusals: OrderedDict[str, tuple[float, str]] = OrderedDict()

    def add(self, url: str, refusal: PictureRefusal) -> None:
        """Remembers that a picture has failed just now."""
        self._refusals.pop(url, None)
        self._refusals[url] = (self._clock() + PAUSE_S, refusal.code)
        if len(self._refusals) > self._most:
            self._refusals.popitem(last=False)

    def check(self, url: str) -> None:
        """Raises PictureRefusal when a picture has failed a moment ago, for the same reason."""
        until, code = self._refusals.get(url, (0.0, ""))
        if code and self._clock() < until:
            raise PictureRefusal(code, "failed a moment ago")
