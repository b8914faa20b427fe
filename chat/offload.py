"""Work that would hold up everybody else, done in a thread of the operating system."""

import sys
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


def beside_others(work: Callable[[], Result]) -> Result:
    """The result of work that would let no other greenlet run: a write to the disk, a slow hash.

    Without gevent, threads are real and the caller's own does the work.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    result: Result = sys.modules["gevent"].get_hub().threadpool.apply(work)
    return result
