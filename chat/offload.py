"""Work that would hold up everybody else: done in a thread of the system, or in steps."""

import sys
import time
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")

# A sleep of nothing is no turn for those whose request has just come: gevent looks at its sockets
# after fifty of them.
TURN_S = 0.001


def beside_others(work: Callable[[], Result]) -> Result:
    """The result of work that would let no other greenlet run: a write to the disk, a slow hash.

    Without gevent, threads are real and the caller's own does the work.
    """
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None or not monkey.is_module_patched("threading"):
        return work()
    result: Result = sys.modules["gevent"].get_hub().threadpool.apply(work)
    return result


def give_way() -> None:
    """Between two steps of long work: whoever came meanwhile is served first."""
    time.sleep(TURN_S)
