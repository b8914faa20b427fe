"""How much longer "at once" takes while other tests use the same processors; waiting for what
comes soon.
"""

import os
import time
from collections.abc import Callable
from typing import Any

# What is bounded by it would otherwise wait for many seconds, or for ever. Alone, bounds are what
# they say.
IS_ALONE = "PYTEST_XDIST_WORKER" not in os.environ
COMPANY = 1 if IS_ALONE else 3
STALL_S = (
    0.0 if IS_ALONE else 1.5
)  # a process of a busy machine has been seen to stand still for a second


def soon(seconds: float) -> float:
    """The longest that what takes less than `seconds` alone may take here."""
    return seconds * COMPANY + STALL_S


def eventually(is_so: Callable[[], Any], seconds: float = 20.0) -> bool:
    """Whether `is_so` comes true, looked at every 10 ms until `soon(seconds)`."""
    until = time.monotonic() + soon(seconds)
    while not (found := is_so()) and time.monotonic() < until:
        time.sleep(0.01)
    return bool(found)
