"""What is known of guesses: wrong tries under a name and over all names, and those under way."""

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

# So many wrong tries cost nothing, then each waits twice as long; from here on it is the lock.
FREE, LOCKED_FROM = 5, 10
FIRST_WAIT_S, LOCK_S = 2.0, 15 * 60.0
FORGOTTEN_AFTER_S = 60 * 60.0
# One try in 5 seconds is 720 an hour; with those of MOST_PAID fewer than the 1,800 that one in two
# seconds would be, so that puzzles let nobody guess more than waiting alone did.
ALL, ALL_WINDOW_S, ALL_GAP_S = 100, 10 * 60.0, 5.0
# Under an attack from more of them the count for all is what brakes.
ADDRESSES = 10_000
MOST_PAID = 1024
PAID_WINDOW_S = 60 * 60.0
# Whoever has a code may make any number of known browsers, so the code counts for them together.
KNOWN_OF_CODE, KNOWN_WINDOW_S = 30, 60 * 60.0
# A try is checked in less; one whose process died no longer counts as under way then.
UNDER_WAY_S = 10.0

Result = TypeVar("Result")


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


@dataclass
class Record:
    """The wrong tries under one name, and those under way by their ids: until when they count.

    `paid` are wrong tries with a puzzle, which are among the `wrong` ones. `last` is the time of
    the last wrong one, `next` when the next may come.
    """

    wrong: int = 0
    paid: int = 0
    last: float = 0.0
    next: float = 0.0
    pending: dict[str, float] = field(default_factory=dict)
    paid_pending: dict[str, float] = field(default_factory=dict)

    def at(self, now: float) -> "Record":
        """The record now: what is long past is forgotten."""
        drop_lapsed(self.pending, now)
        drop_lapsed(self.paid_pending, now)
        if now - self.last >= FORGOTTEN_AFTER_S:
            return Record(pending=self.pending, paid_pending=self.paid_pending)
        return self

    def wait(self, now: float, free: int, counts_pending: bool = True) -> float:
        """The seconds until the next try may come; those under way may count as wrong."""
        wait = max(0.0, self.next - now)
        if counts_pending and self.pending and self.wrong + len(self.pending) >= free:
            return max(1.0, wait)
        return wait

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to remember."""
        return not self.wrong and not self.pending


@dataclass
class Everybody:
    """The tries from everywhere: the times of wrong ones, and those under way.

    `times`, `pending` and `next` are of tries by address, `paid` of those with a puzzle.
    """

    times: deque[float] = field(default_factory=lambda: deque(maxlen=ALL))
    next: float = 0.0
    paid: deque[float] = field(default_factory=lambda: deque(maxlen=MOST_PAID))
    pending: dict[str, float] = field(default_factory=dict)
    paid_pending: dict[str, float] = field(default_factory=dict)

    def at(self, now: float) -> "Everybody":
        """The same, without tries whose process died."""
        drop_lapsed(self.pending, now)
        drop_lapsed(self.paid_pending, now)
        return self

    def wait(self, now: float, most: int, counts_pending: bool = True) -> float:
        """The seconds until the next try may come; those under way may count as wrong."""
        if self.is_flooded(now, most):
            return max(0.0, self.next - now)
        is_full = self._recent(now) + len(self.pending) >= most
        return 1.0 if counts_pending and is_full else 0.0

    def is_flooded(self, now: float, most: int) -> bool:
        """Whether there were so many wrong tries of late that all have to wait."""
        return self._recent(now) >= most

    def paid_lately(self, now: float) -> int:
        """How many wrong tries were paid in the last hour."""
        return sum(now - at < PAID_WINDOW_S for at in self.paid)

    def _recent(self, now: float) -> int:
        return sum(now - at < ALL_WINDOW_S for at in self.times)


@dataclass
class Guesses:
    """All that counts for tries from one origin, to be read and changed.

    `browser` and `code` are of its known browser: the record, and the times of wrong tries with
    the code. One of `share` processes that know nothing of each other allows a part of everything.
    """

    now: float
    address: Record
    browser: Record
    everybody: Everybody
    code: deque[float]
    share: int = 1

    def most(self, count: int) -> int:
        """The part of a bound that is this process's."""
        return max(1, count // self.share)


class StoredGuesses(Protocol):
    """Keeps guesses of one kind: in this process, or for all of them.

    `look_s` is how long a try may go unnoticed that another process ends.
    """

    look_s: float

    def look(self, origin: Origin) -> Guesses:
        """What counts for an origin now; changes to it are not kept."""

    def change(self, origin: Origin, change: Callable[[Guesses], Result]) -> Result:
        """The result of `change`, whose changes are kept; nobody else changes them meanwhile.

        It may be called more than once.
        """


class LocalGuesses:
    """StoredGuesses in the memory of this process, of at most ADDRESSES names."""

    look_s = float("inf")

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        share: Callable[[], int] = lambda: 1,
    ) -> None:
        self._clock = clock
        self._share = share
        self._lock = threading.RLock()
        self._addresses: OrderedDict[str, Record] = OrderedDict()
        self._browsers: OrderedDict[str, Record] = OrderedDict()
        self._codes: OrderedDict[str, deque[float]] = OrderedDict()
        self._everybody = Everybody()

    @property
    def size(self) -> int:
        """How many addresses are in memory; never more than ADDRESSES."""
        return len(self._addresses)

    def look(self, origin: Origin) -> Guesses:
        """What counts for an origin now; changes to it are not kept."""
        now = self._clock()
        browser = origin.browser or _NO_BROWSER
        return Guesses(
            now,
            self._addresses.get(origin.address, Record()).at(now),
            self._browsers.get(browser.id, Record()).at(now),
            self._everybody.at(now),
            self._codes.get(browser.code) or deque(maxlen=KNOWN_OF_CODE),
            self._share(),
        )

    def change(self, origin: Origin, change: Callable[[Guesses], Result]) -> Result:
        """The result of `change`, whose changes are kept."""
        with self._lock:
            guesses = self.look(origin)
            result = change(guesses)
            self.keep(origin, guesses)
            return result

    def keep(self, origin: Origin, guesses: Guesses) -> None:
        """Remembers these, as long as there is something in them and room."""
        with self._lock:
            _put(self._addresses, origin.address, guesses.address, guesses.address.is_empty)
            if origin.browser is not None:
                browser = origin.browser
                _put(self._browsers, browser.id, guesses.browser, guesses.browser.is_empty)
                _put(self._codes, browser.code, guesses.code, not guesses.code)
            self._everybody = guesses.everybody


_NO_BROWSER = KnownBrowser("", "")
Kept = TypeVar("Kept")


def drop_lapsed(pending: dict[str, float], now: float) -> None:
    """Forgets tries that were never ended."""
    for id, until in list(pending.items()):
        if until <= now:
            del pending[id]


def _put(kept: OrderedDict[str, Kept], name: str, value: Kept, is_empty: bool) -> None:
    """Keeps a value under its name; the longest unused go first."""
    kept.pop(name, None)
    if not is_empty:
        kept[name] = value
    while len(kept) > ADDRESSES:
        kept.popitem(last=False)
