"""How much a visitor may ask and send: by visitor, and by address too, because cookies are free.

Rates are read by the library `limits`; the counting is our own. The library's memory keeps the name of
everybody who ever asked, and looks through all of them after each question.
"""

import ipaddress
import threading
import time
from array import array
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property
from math import inf

from chat.refusals import FileRefusal, Refusal

ADDRESS_SHARE = 3  # many people share one address: a school, an office, a mobile network
UPLOADS_KEPT = 10  # times the largest file: what a visitor may have here at once, and send in a day
DAY_S = 24 * 3600
MOST_NAMES = 100_000

Rates = Sequence[tuple[int, float]]  # (how many, in how many seconds)


def is_off(text: str) -> bool:
    """Whether VISITOR_RATE says that nothing is counted."""
    return text.strip() in ("", "0")


def parse(text: str) -> Rates:
    """The rates of a text such as "20/minute;300/day"; none for "0". Raises ValueError."""
    if is_off(text):
        return ()
    from limits import parse_many  # costs 1.5 MB: imported when the first question comes

    rates = [parse_many(part)[0] for part in text.replace(",", ";").split(";")]
    if not all(rate.amount for rate in rates):
        raise ValueError("a rate of nothing")
    return tuple((rate.amount, rate.get_expiry()) for rate in rates)


class Windows:
    """When each name has done something of late: eight bytes a time, for as long as the longest window.

    Names that did nothing for so long are forgotten, and beyond MOST_NAMES those longest silent. Not for
    several threads at once.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._times: OrderedDict[str, array[float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._times)

    def wait(self, name: str, rates: Rates, cost: int = 1) -> float:
        """Seconds until the name may do it again `cost` times: 0 for now, inf for never."""
        times, now, longest = self._times.get(name, ()), self._clock(), 0.0
        for amount, seconds in rates:
            within = len(times) - bisect_right(times, now - seconds)
            excess = within + cost - amount
            if cost > amount:
                return inf
            if excess > 0:
                longest = max(longest, times[len(times) - within + excess - 1] + seconds - now)
        return longest

    def add(self, name: str, rates: Rates, cost: int = 1) -> None:
        """Notes that the name does it now, `cost` times."""
        now, kept_s = self._clock(), max((seconds for _, seconds in rates), default=0.0)
        times = self._times.setdefault(name, array("d"))
        del times[: bisect_right(times, now - kept_s)]
        times.extend([now] * cost)
        self._times.move_to_end(name)
        self._forget(now - kept_s)

    def _forget(self, before: float) -> None:
        while self._times:
            name, times = next(iter(self._times.items()))
            if len(self._times) <= MOST_NAMES and times and times[-1] > before:
                return
            del self._times[name]


class VisitorLimits:
    """What each visitor may ask and send, and each address. `rate` as in VISITOR_RATE, `upload_mb` the
    largest file.
    """

    def __init__(
        self, rate: str, upload_mb: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._megabytes: Rates = ((max(1, int(ADDRESS_SHARE * UPLOADS_KEPT * upload_mb)), DAY_S),)
        self._lock = threading.Lock()
        self._questions, self._files, self._sizes = Windows(clock), Windows(clock), Windows(clock)

    @cached_property
    def _rates(self) -> tuple[Rates, Rates]:
        """For a visitor, and for an address."""
        rates = parse(self._rate)
        return rates, tuple((ADDRESS_SHARE * amount, seconds) for amount, seconds in rates)

    @property
    def are_set(self) -> bool:
        """Whether the site counts at all."""
        return bool(self._rates[0])

    def check(self, visitor: str, address: str) -> None:
        """Raises Refusal rate_limited when a question would be one too many. Counts nothing."""
        if wait := self._wait(self._questions, visitor, address):
            raise Refusal("rate_limited", _who(address), retry_after=wait)

    def ask(self, visitor: str, address: str) -> None:
        """Counts a question that is asked."""
        with self._lock:
            self._count(self._questions, visitor, address)

    def send(self, visitor: str, address: str, size: int) -> None:
        """Counts a file of `size` bytes. Raises FileRefusal rate_limited, and counts nothing, when it is one
        too many, or too large together with the others that came from the address in a day.
        """
        megabytes = round(size / 2**20) if self.are_set and address else 0
        with self._lock:
            wait = self._wait(self._files, visitor, address)
            if megabytes:
                wait = max(wait, self._sizes.wait(address, self._megabytes, megabytes))
            if wait:
                raise FileRefusal("rate_limited", _who(address), retry_after=min(wait, DAY_S))
            self._count(self._files, visitor, address)
            if megabytes:
                self._sizes.add(address, self._megabytes, megabytes)

    def _wait(self, windows: Windows, visitor: str, address: str) -> float:
        of_visitor, of_address = self._rates
        at_address = windows.wait(f"@{address}", of_address) if address else 0.0
        return max(windows.wait(visitor, of_visitor), at_address)

    def _count(self, windows: Windows, visitor: str, address: str) -> None:
        of_visitor, of_address = self._rates
        if not of_visitor:
            return
        windows.add(visitor, of_visitor)
        if address:
            windows.add(f"@{address}", of_address)


def _who(address: str) -> str:
    """For the log: without a proxy's word, all who come through it have its address."""
    is_inner = address and ipaddress.ip_network(address).is_private
    hint = "; if this is a proxy of yours, set TRUSTED_PROXIES" if is_inner else ""
    return f"too much from {address or 'a visitor'}{hint}"
