"""The processor time of a piece of work, whatever the machine is and what else runs on it."""

import time
from collections.abc import Callable


def effort(work: Callable[[], object]) -> float:
    """The processor time this thread spends in `work`, in times of `_yardstick`.

    A slow machine, or one whose processors are shared, is slow in both: the quotient stays.
    """
    before = _yardstick()
    began = time.thread_time()
    work()
    spent = time.thread_time() - began
    return spent / max(before, _yardstick())


def _yardstick() -> float:
    """The processor time of a fixed piece of Python: about 10 ms where nothing else runs."""
    began = time.thread_time()
    "".join(str(number) for number in range(60_000)).count("7")
    return time.thread_time() - began
