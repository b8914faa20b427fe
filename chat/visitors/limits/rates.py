"""How much a visitor may ask and send: by visitor, and by address too, because cookies are free."""

import ipaddress
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from chat.refusals import FileRefusal, RateRefusal, Refusal
from chat.settings.rate_text import is_off, parse_rates

if TYPE_CHECKING:
    from limits import RateLimitItem

    from chat.visitors.limits.rate_counts import Claim, RateCounts

# Times the largest file: what a visitor may have here at once, and send in a day.
UPLOADS_KEPT = 10
DAY_S = 24 * 3600
MEGABYTE = 2**20
# What a visitor may do besides asking and sending files, by what it costs us: several times what a
# person does who is in a hurry, and too little to wear the site out.
RATES = {
    # A page drawn, the sign-in page and errors too.
    "page": "120/minute",
    # A scan of all of the visitor's answers.
    "search": "60/minute",
    # A whole conversation, however long.
    "export": "30/minute",
    # A link made or withdrawn. Reading by a link is a page.
    "share": "30/minute",
    # An answer followed: each reload and each lost connection begins anew.
    "events": "240/minute",
    # A long page may show a hundred at once.
    "picture": "600/minute",
    # Of those, what is not here yet: a picture from its platform, and each megabyte of it.
    "fetched picture": "120/minute;1000/hour",
    # A file of a question, fetched by a platform: all of them come from a few addresses.
    "fetched file": "600/minute",
    # Whatever else is sent to change something.
    "change": "120/minute",
}


class VisitorLimits:
    """What each visitor may ask and send, and each address.

    `rate` is as in VISITOR_RATE, `upload_mb` the largest file. An address counts for
    `address_share` visitors, because a school, an office or a mobile network shares it; with 0 it
    is not counted. `make_counts` makes the counts at the first use.
    """

    def __init__(
        self,
        rate: str,
        upload_mb: float,
        address_share: int,
        make_counts: "Callable[[], RateCounts] | None" = None,
    ) -> None:
        self._rate = rate
        self._address_share = address_share
        self._day_megabytes = max(1, int(address_share * UPLOADS_KEPT * upload_mb))
        self._make_counts = make_counts or local_counts
        self._lock = threading.Lock()
        self._loaded: _Rates | None = None

    @property
    def are_set(self) -> bool:
        """Whether the site counts at all."""
        return not is_off(self._rate)

    def count_address(self, deed: str, address: str) -> None:
        """Counts a deed of RATES against its address. Raises RateRefusal when it is too often."""
        self._count_one(deed, "address", address)

    def add_for_address(self, deed: str, address: str, times: int) -> None:
        """Counts what is known only afterwards against its address, and refuses nobody."""
        rates = self._rates
        if rates is None or not address:
            return
        rates.counts.add(*[rates.deed(deed, "address", address)] * times)

    def count_visitor(self, deed: str, visitor: str) -> None:
        """Counts a deed of RATES against its visitor. Raises RateRefusal when it is too often."""
        self._count_one(deed, "visitor", visitor)

    def check_question(self, visitor: str, address: str) -> None:
        """Counts nothing. Raises Refusal rate_limited when a question would be one too many."""
        if rates := self._rates:
            _refuse_question(rates.counts.wait(*rates.both("question", visitor, address)), address)

    def count_question(self, visitor: str, address: str) -> None:
        """Counts a question. Raises Refusal as `check_question`, and counts nothing then."""
        if rates := self._rates:
            _refuse_question(rates.counts.take(*rates.both("question", visitor, address)), address)

    def give_back_question(self, visitor: str, address: str) -> None:
        """Takes back a question that was counted and not asked after all."""
        if rates := self._rates:
            rates.counts.give_back(*rates.both("question", visitor, address))

    def check_file(self, visitor: str, address: str, size: int) -> None:
        """Counts nothing.

        Raises FileRefusal rate_limited when a file of `size` bytes would be one too many, or too
        large together with the others that came from the address in a day.
        """
        if rates := self._rates:
            _refuse_file(rates.counts.wait(*self._file(rates, visitor, address, size)), address)

    def count_file(self, visitor: str, address: str, size: int) -> None:
        """Counts a file of `size` bytes. Raises FileRefusal as `check_file`."""
        if rates := self._rates:
            _refuse_file(rates.counts.take(*self._file(rates, visitor, address, size)), address)

    def _file(self, rates: "_Rates", visitor: str, address: str, size: int) -> "Iterator[Claim]":
        yield from rates.both("file", visitor, address)
        megabytes = round(size / MEGABYTE) if address and self._address_share else 0
        if megabytes:
            yield rates.of_megabytes(address, megabytes)

    def _count_one(self, deed: str, kind: str, name: str) -> None:
        rates = self._rates
        if rates is None or not name:
            return
        if wait := rates.counts.take(rates.deed(deed, kind, name)):
            detail = f"{deed}: {describe(name if kind == 'address' else '')}"
            raise RateRefusal("rate_limited", detail, retry_after=wait)

    @property
    def _rates(self) -> "_Rates | None":
        """The rates and counts, made at the first use; None on a site without rates."""
        if not self.are_set:
            return None
        with self._lock:
            if self._loaded is None:
                self._loaded = _Rates(
                    self._rate, self._address_share, self._day_megabytes, self._make_counts()
                )
            return self._loaded


class _Rates:
    """The rates of a site, and its counts. `day_megabytes` is what an address may send in a day."""

    def __init__(
        self, text: str, address_share: int, day_megabytes: int, counts: "RateCounts"
    ) -> None:
        # Imported here: the library costs 1.5 MB, and is needed only when the first visitor comes.
        from limits import RateLimitItemPerDay

        from chat.visitors.limits.rate_counts import Claim

        self._claim = Claim
        self._of_visitor: Sequence[RateLimitItem] = parse_rates(text)
        self._of_address = _times(self._of_visitor, address_share)
        of_deeds = {deed: parse_rates(rate) for deed, rate in RATES.items()}
        self._of_deeds = {
            "visitor": of_deeds,
            "address": {deed: _times(rates, address_share) for deed, rates in of_deeds.items()},
        }
        self._megabytes = [RateLimitItemPerDay(day_megabytes)]
        self.counts = counts

    def deed(self, deed: str, kind: str, name: str) -> "Claim":
        """One deed of RATES, of a visitor or an address."""
        return self._claim(self._of_deeds[kind][deed], (deed, kind, name))

    def both(self, deed: str, visitor: str, address: str) -> "Iterator[Claim]":
        """A question or a file, of its visitor and of its address."""
        yield self._claim(self._of_visitor, (deed, "visitor", visitor))
        if address:
            yield self._claim(self._of_address, (deed, "address", address))

    def of_megabytes(self, address: str, megabytes: int) -> "Claim":
        """What an address sends in a day."""
        return self._claim(self._megabytes, ("megabyte", address), megabytes)


def local_counts() -> "RateCounts":
    """Counts in the memory of this process."""
    from chat.visitors.limits.rate_counts import LocalRateCounts

    return LocalRateCounts()


def _refuse_question(wait: float, address: str) -> None:
    if wait:
        raise Refusal("rate_limited", describe(address), retry_after=wait)


def _refuse_file(wait: float, address: str) -> None:
    if wait:
        raise FileRefusal("rate_limited", describe(address), retry_after=min(wait, DAY_S))


def _times(rates: "Sequence[RateLimitItem]", share: int) -> "Sequence[RateLimitItem]":
    """The rates of an address that counts for so many visitors; none when it is not counted."""
    return [type(rate)(share * rate.amount, rate.multiples) for rate in rates if share]


def describe(address: str) -> str:
    """The address for the log, with a hint why it may be that of many people."""
    is_inner = address and ipaddress.ip_network(address).is_private
    hint = "; if this is a proxy of yours, set TRUSTED_PROXIES" if is_inner else ""
    share = "; if many people share it, raise ADDRESS_SHARE" if address else ""
    return f"too much from {address or 'a visitor'}{hint}{share}"
