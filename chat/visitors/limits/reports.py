"""How many reports of browsers about blocked content reach the log: few, whoever sends them."""

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from limits import RateLimitItem

    from chat.visitors.limits.rate_counts import LocalRateCounts

# A page that is blocked everywhere is understood from a few reports, and an attack from as many.
OF_AN_ADDRESS = "6/minute"
IN_ALL = "30/minute"


class Reports:
    """Counts reports, by address and in all: in each process, for they only fill its log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: LocalRateCounts | None = None
        self._of_an_address: Sequence[RateLimitItem] = ()
        self._in_all: Sequence[RateLimitItem] = ()

    def may_send(self, address: str) -> bool:
        """Whether one more report from an address is read; then it is counted."""
        if self._counts is None:
            self._load()
        from chat.visitors.limits.rate_counts import Claim

        assert self._counts is not None
        of_an_address = Claim(self._of_an_address, ("report", address))
        in_all = Claim(self._in_all, ("reports",))
        return self._counts.take(of_an_address, in_all) == 0

    def _load(self) -> None:
        """The library is large: most sites never get a report."""
        from chat.settings.rate_text import parse_rates
        from chat.visitors.limits.rate_counts import LocalRateCounts

        self._of_an_address = parse_rates(OF_AN_ADDRESS)
        self._in_all = parse_rates(IN_ALL)
        self._counts = LocalRateCounts(self._clock)
