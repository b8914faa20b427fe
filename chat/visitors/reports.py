"""How many reports of browsers about blocked content reach the log: few, whoever sends them."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem

    from chat.visitors.rate_counts import RateCounts

# A page that is blocked everywhere is understood from a few reports, and an attack from as many.
OF_AN_ADDRESS = "6/minute"
IN_ALL = "30/minute"


class Reports:
    """Counts reports, by address and in all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: RateCounts | None = None
        self._of_an_address: Sequence[RateLimitItem] = ()
        self._in_all: Sequence[RateLimitItem] = ()

    def may_send(self, address: str) -> bool:
        """Whether one more report from an address is read; then it is counted."""
        if self._counts is None:
            self._load()
        counts = self._counts
        assert counts is not None
        if counts.wait(self._of_an_address, "report", address):
            return False
        if counts.wait(self._in_all, "reports"):
            return False
        counts.add(self._of_an_address, "report", address)
        counts.add(self._in_all, "reports")
        return True

    def _load(self) -> None:
        """The library is large: most sites never get a report."""
        from chat.settings.rate_text import parse_rates
        from chat.visitors.rate_counts import RateCounts

        self._of_an_address = parse_rates(OF_AN_ADDRESS)
        self._in_all = parse_rates(IN_ALL)
        self._counts = RateCounts(clock=self._clock)
