"""How much a visitor may ask and send: by visitor, and by address too, because cookies are free."""

import ipaddress
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from chat.refusals import FileRefusal, Refusal
from chat.settings.rate_text import is_off, parse_rates

if TYPE_CHECKING:
    from limits import RateLimitItem


# Times the largest file: what a visitor may have here at once, and send in a day.
UPLOADS_KEPT = 10
DAY_S = 24 * 3600
MEGABYTE = 2**20


class VisitorLimits:
    """What each visitor may ask and send, and each address.

    `rate` is as in VISITOR_RATE, `upload_mb` the largest file. An address counts for
    `address_share` visitors, because a school, an office or a mobile network shares it; with 0 it
    is not counted.
    """

    def __init__(
        self,
        rate: str,
        upload_mb: float,
        address_share: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = rate
        self._address_share = address_share
        self._day_megabytes = max(1, int(address_share * UPLOADS_KEPT * upload_mb))
        self._clock = clock
        self._lock = threading.RLock()
        self._loaded: _Rates | None = None

    @property
    def are_set(self) -> bool:
        """Whether the site counts at all."""
        return not is_off(self._rate)

    def check_question(self, visitor: str, address: str) -> None:
        """Counts nothing. Raises Refusal rate_limited when a question would be one too many."""
        if wait := self._wait("question", visitor, address):
            raise Refusal("rate_limited", describe(address), retry_after=wait)

    def count_question(self, visitor: str, address: str) -> None:
        """Counts a question that is asked."""
        self._count("question", visitor, address)

    def count_file(self, visitor: str, address: str, size: int) -> None:
        """Counts a file of `size` bytes.

        Raises FileRefusal rate_limited, and counts nothing, when it is one too many, or too large
        together with the others that came from the address in a day.
        """
        megabytes = round(size / MEGABYTE) if address and self._address_share else 0
        with self._lock:
            wait = self._wait("file", visitor, address)
            if megabytes and (rates := self._rates):
                counts, day = rates.counts, rates.megabytes
                wait = max(wait, counts.wait(day, "megabyte", address, cost=megabytes))
            if wait:
                retry_after = min(wait, DAY_S)
                raise FileRefusal("rate_limited", describe(address), retry_after=retry_after)
            self._count("file", visitor, address)
            if megabytes and rates:
                counts.add(day, "megabyte", address, cost=megabytes)

    @property
    def _rates(self) -> "_Rates | None":
        """The rates and counts, made at the first use; None on a site without rates."""
        if not self.are_set:
            return None
        with self._lock:
            if self._loaded is None:
                self._loaded = _Rates(
                    self._rate, self._address_share, self._day_megabytes, self._clock
                )
            return self._loaded

    def _wait(self, deed: str, visitor: str, address: str) -> float:
        rates = self._rates
        if rates is None:
            return 0.0
        wait = rates.counts.wait(rates.of_visitor, deed, "visitor", visitor)
        if address:
            wait = max(wait, rates.counts.wait(rates.of_address, deed, "address", address))
        return wait

    def _count(self, deed: str, visitor: str, address: str) -> None:
        rates = self._rates
        if rates is None:
            return
        with self._lock:
            rates.counts.add(rates.of_visitor, deed, "visitor", visitor)
            if address:
                rates.counts.add(rates.of_address, deed, "address", address)


class _Rates:
    """The rates of a site, and its counts. `day_megabytes` is what an address may send in a day."""

    def __init__(
        self, text: str, address_share: int, day_megabytes: int, clock: Callable[[], float]
    ) -> None:
        # Imported here: the library costs 1.5 MB, and is needed only when the first question comes.
        from limits import RateLimitItemPerDay

        from chat.visitors.rate_counts import RateCounts

        self.of_visitor: Sequence[RateLimitItem] = parse_rates(text)
        self.of_address = [
            type(rate)(address_share * rate.amount, rate.multiples)
            for rate in self.of_visitor
            if address_share
        ]
        self.megabytes = [RateLimitItemPerDay(day_megabytes)]
        self.counts: RateCounts = RateCounts(clock=clock)


def describe(address: str) -> str:
    """The address for the log, with a hint why it may be that of many people."""
    is_inner = address and ipaddress.ip_network(address).is_private
    hint = "; if this is a proxy of yours, set TRUSTED_PROXIES" if is_inner else ""
    share = "; if many people share it, raise ADDRESS_SHARE" if address else ""
    return f"too much from {address or 'a visitor'}{hint}{share}"
