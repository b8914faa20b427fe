"""Bearer tokens: fetched once for everybody, renewed early, replaced when refused, failures never
kept.
"""

import gc
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest

from providers.errors import TimedOut, Unavailable
from providers.http import Http, Network
from providers.stop import Stop, Stopped
from providers.tokens import KeptToken, Token, Tokens, shared
from tests.kit.patience import eventually


class Mint:
    """Gives numbered tokens, slowly or not at all when told; `clock` stands still until it is
    moved.
    """

    def __init__(self, life_s: float = 1000.0, takes_s: float = 0.0) -> None:
        self.life_s, self.takes_s = life_s, takes_s
        self.fetched = 0
        self.now = 0.0
        self.is_closed = False

    def fetch(self) -> Token:
        self.fetched += 1
        number = self.fetched
        time.sleep(self.takes_s)
        if self.is_closed:
            raise Unavailable("the mint is closed", provider="test")
        return Token(f"token-{number}", self.life_s)

    def tokens(self) -> Tokens:
        return Tokens(self.fetch, "test", clock=lambda: self.now)


def all_at_once(count: int, act: Callable[[], object]) -> list[object]:
    """What `count` threads get that begin together."""
    start = threading.Barrier(count)

    def one(_: int) -> object:
        start.wait()
        try:
            return act()
        except Exception as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(one, range(count)))


def test_sixteen_threads_fetch_once():
    mint = Mint(takes_s=0.1)
    tokens = mint.tokens()
    assert all_at_once(16, tokens.current) == ["token-1"] * 16
    assert mint.fetched == 1


def test_a_refused_token_is_replaced_once_for_all_who_were_refused():
    mint = Mint(takes_s=0.05)
    tokens = mint.tokens()
    old = tokens.current()
    assert all_at_once(16, lambda: tokens.current(refused_token=old)) == ["token-2"] * 16
    assert mint.fetched == 2


def test_a_refusal_of_yesterdays_token_does_not_spend_todays():
    mint = Mint()
    tokens = mint.tokens()
    first = tokens.current()
    second = tokens.current(refused_token=first)
    assert tokens.current(refused_token=first) == second
    assert mint.fetched == 2


def test_a_failure_reaches_all_who_wait_and_nobody_after_them():
    mint = Mint(takes_s=0.1)
    mint.is_closed = True
    tokens = mint.tokens()
    assert {type(found) for found in all_at_once(8, tokens.current)} == {Unavailable}
    assert mint.fetched == 1
    mint.is_closed = False
    assert tokens.current() == "token-2"


def test_the_old_token_serves_until_the_early_renewal_is_there():
    mint = Mint(life_s=10_000, takes_s=0.05)
    tokens = mint.tokens()
    tokens.current()
    mint.now = 10_000 - 601
    assert tokens.current() == "token-1"
    assert mint.fetched == 1
    mint.now = 10_000 - 599
    assert tokens.current() == "token-1"
    assert eventually(lambda: tokens.current() == "token-2")
    assert mint.fetched == 2


def test_a_short_life_is_renewed_in_its_last_tenth():
    mint = Mint(life_s=2)
    tokens = mint.tokens()
    tokens.current()
    mint.now = 1.7
    assert tokens.current() == "token-1"
    assert mint.fetched == 1


def test_an_early_renewal_that_fails_is_logged_and_hurts_nobody(caplog):
    mint = Mint(life_s=1000)
    tokens = mint.tokens()
    tokens.current()
    mint.is_closed, mint.now = True, 950
    assert tokens.current() == "token-1"
    assert eventually(lambda: "the mint is closed" in caplog.text)
    assert "token-1" not in caplog.text


def test_a_token_past_its_end_is_not_given_out():
    mint = Mint(life_s=1000)
    tokens = mint.tokens()
    tokens.current()
    mint.now = 1000
    assert tokens.current() == "token-2"


def test_who_is_stopped_while_waiting_leaves_at_once_and_fails_nobody():
    mint = Mint(takes_s=2)
    tokens = mint.tokens()
    stop, found = Stop(), []
    threading.Timer(0.1, stop.request).start()
    others = threading.Thread(target=lambda: found.append(tokens.current()))
    others.start()
    with pytest.raises(Stopped):
        tokens.current(stop=stop)
    assert others.is_alive(), "the token is still being made"
    others.join()
    assert found == ["token-1"]


def test_a_deadline_ends_the_waiting():
    mint = Mint(takes_s=0.5)
    with pytest.raises(TimedOut):
        mint.tokens().current(deadline=time.monotonic() + 0.05)


def test_agents_of_one_account_share_its_tokens_and_forget_them_together():
    mint, door = Mint(), Http("test", Network())
    alice, bob = (shared(door, "account", mint.fetch) for _ in range(2))
    assert alice is bob
    assert shared(door, "another", mint.fetch) is not alice
    alice.current()
    del alice, bob
    gc.collect()
    shared(door, "account", mint.fetch).current()
    assert mint.fetched == 2


def test_a_token_does_not_show_its_secret():
    assert "token-1" not in repr(Token("token-1", 1))


class Shelf:
    """A vault of the test: documents in memory, one thread at a time."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self._lock = threading.Lock()

    def load(self, name: str) -> dict[str, Any] | None:
        return self.documents.get(name)

    def save(self, name: str, value: dict[str, Any]) -> None:
        self.documents[name] = value

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        with self._lock:
            yield


def processes(mint: Mint, count: int = 3) -> tuple[list[Tokens], list[str]]:
    """The tokens of one account in so many processes, and what they learned from each other."""
    shelf, learned = Shelf(), list[str]()

    def clock() -> float:
        return mint.now

    kept = [KeptToken(mint.fetch, shelf, "a", learned.append, clock) for _ in range(count)]
    return [Tokens(one, "test", clock=clock) for one in kept], learned


def test_processes_fetch_one_token() -> None:
    mint = Mint(takes_s=0.05)
    many, learned = processes(mint)
    secrets = all_at_once(9, lambda: {tokens.current() for tokens in many})
    assert secrets == [{"token-1"}] * 9 and mint.fetched == 1
    assert learned == ["token-1"] * 2


def test_a_refused_token_is_replaced_once_for_all_processes() -> None:
    mint = Mint()
    many, _ = processes(mint)
    assert [tokens.current() for tokens in many] == ["token-1"] * 3
    assert [tokens.current("token-1") for tokens in many] == ["token-2"] * 3
    assert many[0].current("token-2") == "token-3" and mint.fetched == 3


def test_a_token_is_renewed_early_by_one_process() -> None:
    mint = Mint()
    many, _ = processes(mint)
    for tokens in many:
        tokens.current()
    mint.now = 950.0
    for tokens in many:
        assert tokens.current() in ("token-1", "token-2"), "until it is there the old one serves"
    assert eventually(lambda: [tokens.current() for tokens in many] == ["token-2"] * 3)
    assert mint.fetched == 2


def test_a_fetch_that_fails_is_tried_again_by_the_next_process() -> None:
    mint = Mint()
    many, _ = processes(mint)
    mint.is_closed = True
    with pytest.raises(Unavailable):
        many[0].current()
    mint.is_closed = False
    assert many[1].current() == many[0].current() == "token-2"
