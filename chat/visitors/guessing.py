"""The brake on guessing codes, keys and passwords: by address, by browser, and over all of them."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from chat.refusals import GuessRefusal

KINDS = ("code", "key", "owner", "metrics", "device")
FREE, LOCKED_FROM = 5, 10
FIRST_WAIT_S, LOCK_S = 2.0, 15 * 60.0
FORGOTTEN_AFTER_S = 60 * 60.0
# One try in 5 seconds is 720 an hour; with those of MOST_PAID fewer than the 1,800 that one in two
# seconds would be, so that puzzles let nobody guess more than waiting alone did.
ALL, ALL_WINDOW_S, ALL_GAP_S = 100, 10 * 60.0, 5.0
ADDRESSES = 10_000
# The price of a try in bits: a puzzle of n bits takes 2**n hashes to solve, on average.
CHEAPEST_BITS, DEAREST_BITS = 17, 24
# The price doubles for all after so many wrong paid tries in an hour, and then each time they
# double.
PAID_STEP = 8
MOST_PAID = 1024
PAID_WINDOW_S = 60 * 60.0
# While somebody solves a puzzle the price may rise by so much.
RISE_BITS = 1
# Whoever has a code may make any number of known browsers, so the code counts for them together.
KNOWN_OF_CODE, KNOWN_WINDOW_S = 30, 60 * 60.0
# How long a try waits for others that are under way, and for its hash, in all.
PATIENCE_S = 2.0

Result = TypeVar("Result")
Way = Literal["browser", "puzzle", "address"]


@dataclass(frozen=True)
class KnownBrowser:
    """A browser that has signed in before: its random id, and what names the code it used."""

    id: str
    code: str


@dataclass(frozen=True)
class Origin:
    """Where tries come from: an address, perhaps a known browser.

    `paid_bits` is the difficulty of the puzzle that was solved for this try, 0 without one.
    """

    address: str
    browser: KnownBrowser | None = None
    paid_bits: int = 0


@dataclass(frozen=True)
class Try:
    """A try that may be checked: `way` says by which count, `deadline` is of time.monotonic()."""

    origin: Origin
    way: Way
    deadline: float

    @property
    def is_preferred(self) -> bool:
        """Whether it need not queue with strangers."""
        return self.way != "address"


@dataclass
class _Record:
    """The wrong tries under one name, and those under way.

    `paid` are wrong tries with a puzzle, which are among the `wrong` ones. `last` is the time of
    the last wrong one, `next` when the next may come.
    """

    wrong: int = 0
    paid: int = 0
    pending: int = 0
    paid_pending: int = 0
    last: float = 0.0
    next: float = 0.0

    def wait(self, now: float, counts_pending: bool = True) -> float:
        """The seconds until the next try may come; those under way may count as wrong."""
        wait = max(0.0, self.next - now)
        if counts_pending and self.pending and self.wrong + self.pending >= FREE:
            return max(1.0, wait)
        return wait


class _Records:
    """The records of at most ADDRESSES names; the longest unused are forgotten first."""

    def __init__(self) -> None:
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def get(self, name: str, now: float) -> _Record:
        """The record of a name, not yet remembered if it is new."""
        record = self._records.get(name)
        if record is None:
            return _Record()
        if now - record.last >= FORGOTTEN_AFTER_S:
            return _Record(pending=record.pending, paid_pending=record.paid_pending)
        return record

    def put(self, name: str, record: _Record) -> None:
        """Remembers a record for as long as there is something in it."""
        self._records.pop(name, None)
        if record.wrong or record.pending:
            self._records[name] = record
        while len(self._records) > ADDRESSES:
            self._records.popitem(last=False)

    def __len__(self) -> int:
        return len(self._records)


@dataclass
class _All:
    """The tries by address from everywhere: the times of wrong ones, and those under way."""

    times: deque[float] = field(default_factory=lambda: deque(maxlen=ALL))
    pending: int = 0
    next: float = 0.0

    def wait(self, now: float, counts_pending: bool = True) -> float:
        """The seconds until the next try may come; those under way may count as wrong."""
        if self.is_flooded(now):
            return max(0.0, self.next - now)
        is_full = self._recent(now) + self.pending >= ALL
        return 1.0 if counts_pending and is_full else 0.0

    def is_flooded(self, now: float) -> bool:
        """Whether there were so many wrong tries of late that all have to wait."""
        return self._recent(now) >= ALL

    def _recent(self, now: float) -> int:
        return sum(now - at < ALL_WINDOW_S for at in self.times)


class Brake:
    """Counts wrong tries of one kind.

    After FREE wrong tries from an address each further try waits twice as long as the one before;
    from LOCKED_FROM on it waits LOCK_S. After ALL wrong tries within ALL_WINDOW_S, from any
    address, one try is let in every ALL_GAP_S.

    Two ways lead past both. A known browser has a count of its own, by the same rule as an
    address. A try whose puzzle was worth the `price` is let in; the price rises with wrong tries
    that were paid, from this address and in all.
    """

    def __init__(
        self,
        kind: str,
        clock: Callable[[], float] = time.monotonic,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._kind = kind
        self._clock = clock
        self._patience_s = patience_s
        self._changed = threading.Condition()
        self._addresses = _Records()
        self._browsers = _Records()
        self._all = _All()
        self._paid: deque[float] = deque(maxlen=MOST_PAID)
        self._paid_pending = 0
        self._by_code: OrderedDict[str, deque[float]] = OrderedDict()

    def attempt(
        self, origin: Origin, check: Callable[[Try], Result], forgives: bool = True
    ) -> Result:
        """The result of `check`, which counts as a wrong try if it is false. Raises GuessRefusal.

        A right try that `forgives` takes back a wrong one; it must not where anybody can have a
        right code made. If `check` raises, nothing was tried and nothing is counted.
        """
        current = self.begin(origin)
        is_right = None
        try:
            result = check(current)
            is_right = bool(result)
        finally:
            self.end(current, is_right, forgives)
        return result

    def begin(self, origin: Origin) -> Try:
        """A try that may be checked, and has to be ended.

        Until its end it counts as wrong, so that simultaneous tries are no way around the brake.
        Whoever would be let in but for tries under way waits for them, so that a class behind one
        address may sign in at once. Raises GuessRefusal with the seconds to wait; such a try is
        not counted.
        """
        deadline = time.monotonic() + self._patience_s
        with self._changed:
            while (way := self._way(origin)) is None:
                patience = deadline - time.monotonic()
                if patience <= 0 or not self._is_only_pending(origin):
                    wait = max(1.0, self._wait(origin.address))
                    detail = f"tries of the kind {self._kind}"
                    raise GuessRefusal("rate_limited", detail, retry_after=wait)
                self._changed.wait(patience)
            current = Try(origin, way, deadline)
            self._add_pending(current, 1)
            if way == "address":
                self._all.next = self._clock() + ALL_GAP_S
            return current

    def end(self, current: Try, is_right: bool | None, forgives: bool = True) -> None:
        """Counts a try as wrong or right; None says that it was not checked after all.

        A right one that `forgives` takes back one wrong one, so that many people behind one
        address may each mistype once; and not more, so that nobody guesses others' codes between
        uses of their own.
        """
        with self._changed:
            self._add_pending(current, -1)
            if is_right:
                self._count_right(current, forgives)
            elif is_right is not None:
                self._count_wrong(current)
            self._changed.notify_all()

    def is_on(self, origin: Origin) -> bool:
        """Whether tries from here have to wait for one another, or pay with a puzzle."""
        with self._changed:
            if origin.browser is not None and self._is_let_in(origin.browser):
                return False
            now = self._clock()
            wrong = self._addresses.get(origin.address, now).wrong
            return wrong >= FREE or self._all.is_flooded(now)

    def price(self, address: str) -> int | None:
        """The bits of a puzzle that is worth a try; None where no puzzle helps any more."""
        with self._changed:
            bits = self._price(address, counts_pending=False)
            return bits if bits <= DEAREST_BITS else None

    @property
    def size(self) -> int:
        """How many addresses are in memory; never more than ADDRESSES."""
        return len(self._addresses)

    def _way(self, origin: Origin) -> Way | None:
        if origin.browser is not None and self._is_let_in(origin.browser):
            return "browser"
        if self._is_paid(origin, counts_pending=True):
            return "puzzle"
        return "address" if self._wait(origin.address) == 0 else None

    def _is_only_pending(self, origin: Origin) -> bool:
        """Whether nothing but tries under way keeps a try out."""
        if self._is_paid(origin, counts_pending=False):
            return True
        return self._wait(origin.address, counts_pending=False) == 0

    def _wait(self, address: str, counts_pending: bool = True) -> float:
        now = self._clock()
        record = self._addresses.get(address, now)
        return max(record.wait(now, counts_pending), self._all.wait(now, counts_pending))

    def _is_let_in(self, browser: KnownBrowser) -> bool:
        now = self._clock()
        times = self._by_code.get(browser.code) or deque()
        is_spent = len(times) == KNOWN_OF_CODE and now - times[0] < KNOWN_WINDOW_S
        return not is_spent and self._browsers.get(browser.id, now).wait(now) == 0

    def _is_paid(self, origin: Origin, counts_pending: bool) -> bool:
        price = self._price(origin.address, counts_pending)
        return price <= DEAREST_BITS and 0 < price - RISE_BITS <= origin.paid_bits

    def _price(self, address: str, counts_pending: bool) -> int:
        now = self._clock()
        record = self._addresses.get(address, now)
        own = record.paid
        total = sum(now - at < PAID_WINDOW_S for at in self._paid)
        if counts_pending:
            own, total = own + record.paid_pending, total + self._paid_pending
        if total >= MOST_PAID:
            return DEAREST_BITS + 1
        return CHEAPEST_BITS + own + (1 + total // PAID_STEP).bit_length() - 1

    def _add_pending(self, current: Try, count: int) -> None:
        records, name = self._place(current)
        record = records.get(name, self._clock())
        # A record may have been forgotten while its try was under way.
        record.pending = max(0, record.pending + count)
        if current.way == "puzzle":
            record.paid_pending = max(0, record.paid_pending + count)
            self._paid_pending += count
        elif current.way == "address":
            self._all.pending += count
        records.put(name, record)

    def _count_right(self, current: Try, forgives: bool) -> None:
        records, name = self._place(current)
        now = self._clock()
        record = records.get(name, now)
        record.next = now
        if forgives:
            record.wrong = max(0, record.wrong - 1)
            record.paid = max(0, record.paid - 1)
        records.put(name, record)

    def _count_wrong(self, current: Try) -> None:
        records, name = self._place(current)
        now = self._clock()
        record = records.get(name, now)
        record.wrong, record.last = record.wrong + 1, now
        record.next = now + _wait_after(record.wrong)
        if current.way == "puzzle":
            record.paid += 1
            self._paid.append(now)
        elif current.way == "address":
            self._all.times.append(now)
        elif current.origin.browser is not None:
            self._count_for_code(current.origin.browser.code, now)
        records.put(name, record)

    def _count_for_code(self, code: str, now: float) -> None:
        times = self._by_code.setdefault(code, deque(maxlen=KNOWN_OF_CODE))
        times.append(now)
        self._by_code.move_to_end(code)
        while len(self._by_code) > ADDRESSES:
            self._by_code.popitem(last=False)

    def _place(self, current: Try) -> tuple[_Records, str]:
        browser = current.origin.browser
        if current.way == "browser" and browser is not None:
            return self._browsers, browser.id
        return self._addresses, current.origin.address


class Guessing:
    """A brake for each kind of secret; no kind waits for another."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._brakes = {kind: Brake(kind, clock) for kind in KINDS}

    def brake(self, kind: str) -> Brake:
        """The brake of one of KINDS."""
        return self._brakes[kind]


def _wait_after(wrong: int) -> float:
    if wrong < FREE:
        return 0.0
    return LOCK_S if wrong >= LOCKED_FROM else FIRST_WAIT_S * 2 ** (wrong - FREE)
