"""Work that would hold up everybody else, done in a thread of the operating system."""

import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def beside_others(work: Callable[[], Result]) -> Result:
    """Waits for the result of work that lets no other greenlet in: a write to the disk, a slow hash.

    Where threads are what they are called, the caller's own is as good.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    result: Result = sys.modules["gevent"].get_hub().threadpool.apply(work)
    return result
