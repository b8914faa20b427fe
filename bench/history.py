"""How long a search takes in ten thousand answers of one visitor: `python -m bench.history`."""

import tempfile
import time
from collections.abc import Callable
from statistics import median

from chat import storage
from chat.settings.model import Settings
from tests.kit.filling import fill

CONVERSATIONS, ANSWERS, ROUNDS = 2_500, 4, 7
MOST_MS = 300
TYPED = ("天气", "天", "旅行 微积分", "python", "p", "没有的词语")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = storage.connect(Settings(database_url=f"sqlite:///{folder}/chat.db"))
        fill(store.engine, "alice", CONVERSATIONS, ANSWERS)
        print(f"{CONVERSATIONS * ANSWERS:,} answers of one visitor")
        for typed in TYPED:
            times = sorted(
                _seconds(lambda typed=typed: store.search.find("alice", typed)) * 1000
                for _ in range(ROUNDS)
            )
            verdict = "ok" if median(times) < MOST_MS else "too slow"
            print(
                f"{typed:20} median {median(times):3.0f} ms, worst {times[-1]:3.0f} ms"
                f"   < {MOST_MS} ms  {verdict}"
            )
        store.close()


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
