"""Waiting in tests: what comes soon, and how much longer it takes beside other tests."""

import os
import time
from collections.abc import Callable
from typing import Any

# Alone, a bound is what it says; beside other tests on the same processors it is this much wider.
# What it bounds would otherwise take many seconds, or for ever.
IS_ALONE = "PYTEST_XDIST_WORKER" not in os.environ
ALLOWANCE = 1 if IS_ALONE else 3
# A process of a busy machine may stand still for a second.
STALL_S = 0.0 if IS_ALONE else 1.5


def soon(seconds: float) -> float:
    """The longest that what takes less than `seconds` alone may take here."""
    return seconds * ALLOWANCE + STALL_S


def eventually(condition: Callable[[], Any], seconds: float = 20.0) -> bool:
    """Whether `condition` comes true, tried every 10 ms until `soon(seconds)`."""
    until = time.monotonic() + soon(seconds)
    while not (result := condition()) and time.monotonic() < until:
        time.sleep(0.01)
    return bool(result)
