"""The brake on guessing codes, keys and passwords: by address, by browser, and over all of them."""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from chat.refusals import GuessRefusal
from chat.visitors.guesses import (
    ALL,
    ALL_GAP_S,
    FIRST_WAIT_S,
    FREE,
    KNOWN_OF_CODE,
    KNOWN_WINDOW_S,
    LOCK_S,
    LOCKED_FROM,
    MOST_PAID,
    UNDER_WAY_S,
    Guesses,
    KnownBrowser,
    LocalGuesses,
    Origin,
    Record,
    StoredGuesses,
)

__all__ = ["Brake", "Guessing", "KnownBrowser", "Origin", "Try"]

KINDS = ("code", "key", "owner", "metrics", "device")
# The price of a try in bits: a puzzle of n bits takes 2**n hashes to solve, on average.
CHEAPEST_BITS, DEAREST_BITS = 17, 24
# The price doubles for all after so many wrong paid tries in an hour, and then each time they
# double.
PAID_STEP = 8
# While somebody solves a puzzle the price may rise by so much.
RISE_BITS = 1
# How long a try waits for others that are under way, and for its hash, in all.
PATIENCE_S = 2.0

Result = TypeVar("Result")
Way = Literal["browser", "puzzle", "address"]


@dataclass(frozen=True)
class Try:
    """A try that may be checked: `way` says by which count, `deadline` is of time.monotonic()."""

    origin: Origin
    way: Way
    deadline: float
    id: str = ""

    @property
    def is_preferred(self) -> bool:
        """Whether it need not queue with strangers."""
        return self.way != "address"


class Brake:
    """Counts wrong tries of one kind, in `stored`.

    After FREE wrong tries from an address each further try waits twice as long as the one before;
    from LOCKED_FROM on it waits LOCK_S. After ALL wrong tries within ALL_WINDOW_S, from any
    address, one try is let in every ALL_GAP_S.

    Two ways lead past both. A known browser has a count of its own, by the same rule as an
    address. A try whose puzzle was worth the `price` is let in; the price rises with wrong tries
    that were paid, from this address and in all.
    """

    def __init__(self, kind: str, stored: StoredGuesses, patience_s: float = PATIENCE_S) -> None:
        self._kind = kind
        self._stored = stored
        self._patience_s = patience_s
        self._changed = threading.Condition()

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
        id = secrets.token_hex(8)

        def enter(guesses: Guesses) -> Way | _Wait:
            return _enter(guesses, origin, id)

        with self._changed:
            while isinstance(way := self._stored.change(origin, enter), _Wait):
                patience = deadline - time.monotonic()
                if patience <= 0 or not way.is_for_others:
                    detail = f"tries of the kind {self._kind}"
                    raise GuessRefusal("rate_limited", detail, retry_after=max(1.0, way.seconds))
                self._changed.wait(min(patience, self._stored.look_s))
        return Try(origin, way, deadline, id)

    def end(self, current: Try, is_right: bool | None, forgives: bool = True) -> None:
        """Counts a try as wrong or right; None says that it was not checked after all.

        A right one that `forgives` takes back one wrong one, so that many people behind one
        address may each mistype once; and not more, so that nobody guesses others' codes between
        uses of their own.
        """

        def leave(guesses: Guesses) -> None:
            _end_pending(guesses, current)
            if is_right:
                _count_right(guesses, current, forgives)
            elif is_right is not None:
                _count_wrong(guesses, current)

        with self._changed:
            self._stored.change(current.origin, leave)
            self._changed.notify_all()

    def is_on(self, origin: Origin) -> bool:
        """Whether tries from here have to wait for one another, or pay with a puzzle."""
        guesses = self._stored.look(origin)
        if origin.browser is not None and _is_let_in(guesses):
            return False
        is_flooded = guesses.everybody.is_flooded(guesses.now, guesses.most(ALL))
        return guesses.address.wrong >= guesses.most(FREE) or is_flooded

    def price(self, address: str) -> int | None:
        """The bits of a puzzle that is worth a try; None where no puzzle helps any more."""
        bits = _price(self._stored.look(Origin(address)), counts_pending=False)
        return bits if bits <= DEAREST_BITS else None


class Guessing:
    """A brake for each kind of secret; no kind waits for another.

    `store` gives a kind what keeps its guesses.
    """

    def __init__(self, store: Callable[[str], StoredGuesses] = lambda kind: LocalGuesses()) -> None:
        self._brakes = {kind: Brake(kind, store(kind)) for kind in KINDS}

    def brake(self, kind: str) -> Brake:
        """The brake of one of KINDS."""
        return self._brakes[kind]


@dataclass(frozen=True, slots=True)
class _Wait:
    """A try may not come in for so many seconds; `is_for_others`: only for those under way."""

    seconds: float
    is_for_others: bool


def _enter(guesses: Guesses, origin: Origin, id: str) -> Way | _Wait:
    """The way by which a try is let in, which is counted as under way."""
    way = _way(guesses, origin)
    if way is None:
        is_free = _is_paid(guesses, origin, counts_pending=False)
        is_for_others = is_free or _wait(guesses, counts_pending=False) == 0
        return _Wait(_wait(guesses), is_for_others)
    until = guesses.now + UNDER_WAY_S
    record = _record(guesses, way)
    record.pending[id] = until
    if way == "puzzle":
        record.paid_pending[id] = guesses.everybody.paid_pending[id] = until
    elif way == "address":
        guesses.everybody.pending[id] = until
        guesses.everybody.next = guesses.now + guesses.share * ALL_GAP_S
    return way


def _way(guesses: Guesses, origin: Origin) -> Way | None:
    if origin.browser is not None and _is_let_in(guesses):
        return "browser"
    if _is_paid(guesses, origin, counts_pending=True):
        return "puzzle"
    return "address" if _wait(guesses) == 0 else None


def _wait(guesses: Guesses, counts_pending: bool = True) -> float:
    now = guesses.now
    return max(
        guesses.address.wait(now, guesses.most(FREE), counts_pending),
        guesses.everybody.wait(now, guesses.most(ALL), counts_pending),
    )


def _is_let_in(guesses: Guesses) -> bool:
    """Whether the known browser may try, by its own count and that of its code."""
    now, most = guesses.now, guesses.most(KNOWN_OF_CODE)
    recent = sum(now - at < KNOWN_WINDOW_S for at in guesses.code)
    return recent < most and guesses.browser.wait(now, guesses.most(FREE)) == 0


def _is_paid(guesses: Guesses, origin: Origin, counts_pending: bool) -> bool:
    price = _price(guesses, counts_pending)
    return price <= DEAREST_BITS and 0 < price - RISE_BITS <= origin.paid_bits


def _price(guesses: Guesses, counts_pending: bool) -> int:
    own = guesses.address.paid
    total = guesses.everybody.paid_lately(guesses.now)
    if counts_pending:
        own += len(guesses.address.paid_pending)
        total += len(guesses.everybody.paid_pending)
    if total >= guesses.most(MOST_PAID):
        return DEAREST_BITS + 1
    return CHEAPEST_BITS + own + (1 + total // PAID_STEP).bit_length() - 1


def _end_pending(guesses: Guesses, current: Try) -> None:
    record = _record(guesses, current.way)
    everybody = guesses.everybody
    # A record may have been forgotten while its try was under way.
    for pending in (
        record.pending,
        record.paid_pending,
        everybody.pending,
        everybody.paid_pending,
    ):
        pending.pop(current.id, None)


def _count_right(guesses: Guesses, current: Try, forgives: bool) -> None:
    record = _record(guesses, current.way)
    record.next = guesses.now
    if forgives:
        record.wrong = max(0, record.wrong - 1)
        record.paid = max(0, record.paid - 1)


def _count_wrong(guesses: Guesses, current: Try) -> None:
    record, now = _record(guesses, current.way), guesses.now
    record.wrong, record.last = record.wrong + 1, now
    record.next = now + _wait_after(record.wrong, guesses)
    if current.way == "puzzle":
        record.paid += 1
        guesses.everybody.paid.append(now)
    elif current.way == "address":
        guesses.everybody.times.append(now)
    else:
        guesses.code.append(now)


def _record(guesses: Guesses, way: Way) -> Record:
    """The record by which a try is counted."""
    return guesses.browser if way == "browser" else guesses.address


def _wait_after(wrong: int, guesses: Guesses) -> float:
    free = guesses.most(FREE)
    if wrong < free:
        return 0.0
    return LOCK_S if wrong >= guesses.most(LOCKED_FROM) else FIRST_WAIT_S * 2 ** (wrong - free)
