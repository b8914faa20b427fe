"""How long a search in 10,000 conversations takes: `python -m bench.history`, half a minute."""

import tempfile
import time
from collections.abc import Callable
from statistics import median

from chat import storage
from chat.settings.model import Settings
from tests.kit.filling import fill

CONVERSATIONS, ANSWERS, ROUNDS = 10_000, 3, 7
TYPED = ("天气", "天", "旅行 微积分", "python", "p", "没有的词语")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = storage.connect(Settings(database_url=f"sqlite:///{folder}/chat.db"))
        fill(store.engine, "alice", CONVERSATIONS, ANSWERS)
        search = store.search
        built_s = _seconds(lambda: search.bring_up_to_date("alice"))
        rate = CONVERSATIONS * ANSWERS / built_s
        print(f"index of {CONVERSATIONS * ANSWERS:,} answers   {built_s:.1f} s, {rate:,.0f}/s")
        for typed in TYPED:
            times = sorted(
                _seconds(lambda typed=typed: search.find("alice", typed)) * 1000
                for _ in range(ROUNDS)
            )
            verdict = "ok" if median(times) < 100 else "over 100 ms"
            print(
                f"{typed:20} median {median(times):3.0f} ms, worst {times[-1]:3.0f} ms   "
                f"< 100 ms  {verdict}"
            )
        store.close()


def _seconds(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
