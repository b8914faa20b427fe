"""How long a search takes in ten thousand answers of one visitor, and how long others wait for it.

`python -m bench.history`
"""

import tempfile
import time
from collections.abc import Callable
from functools import partial
from statistics import median

import gevent
from gevent import monkey

from chat import storage
from chat.settings.model import Settings
from tests.kit.filling import fill

CONVERSATIONS, ANSWERS, ROUNDS = 2_500, 4, 7
MOST_MS = 300
# Nobody waits longer for a turn while another searches.
MOST_HELD_MS = 100
TYPED = ("天气", "天", "旅行 微积分", "python", "p", "没有的词语")


def main() -> None:
    # A search lets others have their turn by time.sleep.
    monkey.patch_time()
    print(f"{CONVERSATIONS * ANSWERS:,} answers of one visitor")
    _measure(CONVERSATIONS, ANSWERS, words=120, most_ms=MOST_MS)
    print("300 answers of 100,000 characters")
    # Where each of fifty excerpts is looked for takes longer: only the others must not notice.
    _measure(300, 1, words=40_000, most_ms=10_000)


def _measure(conversations: int, answers: int, words: int, most_ms: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = storage.connect(Settings(database_url=f"sqlite:///{folder}/chat.db"))
        fill(store.engine, "alice", conversations, answers, words=words)
        for typed in TYPED:
            search = partial(store.search.find, "alice", typed)
            times = sorted(_seconds(search) * 1000 for _ in range(ROUNDS))
            held = _longest_hold(search) * 1000
            is_ok = median(times) < most_ms and held < MOST_HELD_MS
            print(
                f"{typed:20} median {median(times):3.0f} ms, worst {times[-1]:3.0f} ms"
                f"   < {most_ms} ms;   holds others up for {held:3.0f} ms < {MOST_HELD_MS} ms"
                f"   {'ok' if is_ok else 'too slow'}"
            )
        store.close()


def _longest_hold(act: Callable[[], object]) -> float:
    """The longest time in which another greenlet had no turn."""
    waits: list[float] = []

    def wait_for_turns() -> None:
        while True:
            waits.append(_seconds(lambda: gevent.sleep(0)))

    waiting = gevent.spawn(wait_for_turns)
    gevent.sleep(0)
    act()
    gevent.sleep(0)
    waiting.kill()
    return max(waits)


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
