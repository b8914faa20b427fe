"""Hashes of tries are made one after another, within a bounded wait; no lane waits for another."""

import threading
import time
from collections.abc import Callable

import pytest

from chat.refusals import CrowdRefusal
from chat.settings import hashes
from chat.visitors.guessing import PATIENCE_S, Origin, Try
from chat.visitors.matching import Lane, Matcher

TEXT = "brass-lantern-42"


def soon() -> float:
    return time.monotonic() + PATIENCE_S


class Work:
    """Work that goes on until it may end."""

    def __init__(self) -> None:
        self.has_begun, self.may_end = threading.Event(), threading.Event()

    def __call__(self) -> None:
        self.has_begun.set()
        self.may_end.wait(10)

    def during(self, lane: Lane, act: Callable[[], object]) -> object:
        """Does something while this work goes on in a lane."""
        thread = threading.Thread(target=lane.run, args=(self, soon()))
        thread.start()
        self.has_begun.wait(10)
        try:
            return act()
        finally:
            self.may_end.set()
            thread.join()


def test_who_would_wait_too_long_is_refused_at_once() -> None:
    lane, began = Lane(cost_s=PATIENCE_S + 1), time.monotonic()

    def refuse() -> float | None:
        assert lane.is_busy
        with pytest.raises(CrowdRefusal) as raised:
            lane.run(lambda: None, soon())
        return raised.value.retry_after

    assert Work().during(lane, refuse) == PATIENCE_S + 1
    assert time.monotonic() - began < PATIENCE_S
    assert not lane.is_busy and lane.run(lambda: True, soon())


def test_who_waits_is_refused_at_the_deadline() -> None:
    lane = Lane(cost_s=0.01)

    def refuse() -> None:
        with pytest.raises(CrowdRefusal):
            lane.run(lambda: None, time.monotonic() + 0.1)

    Work().during(lane, refuse)
    assert not lane.is_busy


def test_work_that_fails_gives_up_its_place() -> None:
    lane = Lane(cost_s=0.01)
    with pytest.raises(ZeroDivisionError):
        lane.run(lambda: 1 / 0, soon())
    assert not lane.is_busy and lane.run(lambda: True, soon())


def test_strangers_keep_no_preferred_try_waiting() -> None:
    matcher = Matcher([hashes.make_hash(TEXT, hashes.new_recipe(10))])
    preferred = Try(Origin("192.0.2.1", paid_bits=17), "puzzle", soon())

    def match() -> list[bool]:
        assert matcher.is_crowded
        return matcher.match(TEXT, preferred)

    assert Work().during(matcher._strangers, match) == [True]
