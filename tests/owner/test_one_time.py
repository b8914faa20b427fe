"""A one-time code is right for a minute and good once; its secret is nowhere to be read."""

import pyotp
import pytest

from chat.owner.one_time import STEP_S, OneTimeCodes, Proposal
from chat.storage import Storage
from tests.kit.clock import Clock

KEY = "a key of this test"


@pytest.fixture
def codes(store: Storage, clock: Clock) -> OneTimeCodes:
    return OneTimeCodes(store.owner_values, KEY, clock)


def shown(proposal: Proposal, clock: Clock, steps: int = 0) -> str:
    """What the owner's app shows so many steps of time from now."""
    return pyotp.TOTP(proposal.secret).at(int(clock.now) + steps * STEP_S)


def test_nothing_is_asked_for_until_a_code_was_confirmed(codes: OneTimeCodes, clock: Clock) -> None:
    proposal = codes.propose("馆")
    assert not codes.is_on and codes.verify("")
    assert not codes.begin(proposal, "000000") and not codes.is_on
    assert codes.begin(proposal, shown(proposal, clock)) and codes.is_on
    assert not codes.verify("")


def test_a_code_is_good_once_and_none_before_it_afterwards(
    codes: OneTimeCodes, clock: Clock
) -> None:
    proposal = codes.propose("馆")
    codes.begin(proposal, shown(proposal, clock))
    assert not codes.verify(shown(proposal, clock)), "it was used to confirm"
    clock.now += 2 * STEP_S
    code = shown(proposal, clock)
    assert codes.verify(f" {code[:3]} {code[3:]}")
    assert not codes.verify(code)
    assert not codes.verify(shown(proposal, clock, -1))


@pytest.mark.parametrize("steps, is_right", [(-3, False), (-1, True), (1, True), (3, False)])
def test_clocks_may_differ_by_half_a_minute(
    codes: OneTimeCodes, clock: Clock, steps: int, is_right: bool
) -> None:
    proposal = codes.propose("馆")
    codes.begin(proposal, shown(proposal, clock))
    clock.now += 100 * STEP_S
    assert codes.verify(shown(proposal, clock, steps)) is is_right


@pytest.mark.parametrize("code", ["", "12345", "１２３456x", "九" * 6, "0" * 5000])
def test_nonsense_is_no_code(codes: OneTimeCodes, clock: Clock, code: str) -> None:
    proposal = codes.propose("馆")
    codes.begin(proposal, shown(proposal, clock))
    assert not codes.verify(code)


def test_full_width_digits_are_what_they_look_like(codes: OneTimeCodes, clock: Clock) -> None:
    proposal = codes.propose("馆")
    wide = "".join(chr(ord(digit) + 0xFEE0) for digit in shown(proposal, clock))
    assert codes.begin(proposal, wide)


def test_the_form_carries_the_secret_sealed_and_not_for_ever(
    codes: OneTimeCodes, store: Storage, clock: Clock
) -> None:
    proposal = codes.propose("馆")
    assert codes.opened(proposal.sealed, "馆") == proposal
    assert codes.opened(proposal.sealed[:-4] + "AAAA", "馆") is None
    assert OneTimeCodes(store.owner_values, "another key").opened(proposal.sealed, "馆") is None
    codes.begin(proposal, shown(proposal, clock))
    assert proposal.secret not in str(store.owner_values.all())
    assert [entry.command for entry in store.owner_log.all()] == ["one-time-on"]


def test_under_another_key_no_code_is_right(
    codes: OneTimeCodes, store: Storage, clock: Clock
) -> None:
    proposal = codes.propose("馆")
    codes.begin(proposal, shown(proposal, clock))
    clock.now += 10 * STEP_S
    strange = OneTimeCodes(store.owner_values, "another key", clock)
    assert strange.is_on and not strange.verify(shown(proposal, clock))
