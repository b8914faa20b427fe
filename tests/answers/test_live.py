"""The log of an answer: one writes, many read from anywhere, and it is forgotten in time."""

import threading
import time
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.answers.live import KEPT_S, Entry, Failed, Finished, Log, Runs
from providers.events import Delta
from tests.kit.company import soon

END = Finished("stop", ("all",))


@dataclass
class Clock:
    """A clock that is set by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def log_of(*texts: str, end: Finished | Failed | None = END, start: int = 0) -> Log:
    log = Log(start)
    for text in texts:
        log.append(Delta(text))
    if end is not None:
        log.append(end)
    return log


def read(log: Log, position: int = 0) -> list[tuple[int, Entry]]:
    return [pair for batch in log.follow(position, quiet_s=5) for pair in batch]


def texts(pairs: list[tuple[int, Entry]]) -> str:
    return "".join(entry.text for _, entry in pairs if isinstance(entry, Delta))


def test_positions_count_from_one() -> None:
    assert read(log_of("a", "b")) == [(1, Delta("a")), (2, Delta("b")), (3, END)]


@given(st.integers(0, 12), st.integers(0, 20))
def test_from_any_position_a_reader_gets_exactly_the_rest(count: int, position: int) -> None:
    log = log_of(*(str(number) for number in range(count)))
    assert read(log, position) == read(log)[position:]


def test_a_resumed_log_counts_on_from_where_the_earlier_cannot_have_come() -> None:
    log = log_of("a", "b", start=5000)
    assert [position for position, _ in read(log)] == [5001, 5002, 5003]
    assert read(log, 17) == read(log), "17 was a position of the earlier log"
    assert read(log, 5001) == read(log)[1:]


def test_a_slow_reader_gets_all_at_once_and_a_failure_ends_too() -> None:
    log = log_of("a", "b", "c", end=Failed("timeout"))
    assert [len(batch) for batch in log.follow()] == [4]


def test_a_reader_of_a_quiet_log_hears_that_it_is_quiet() -> None:
    log = log_of("a", end=None)
    reader = log.follow(quiet_s=0.05)
    assert next(reader) == [(1, Delta("a"))]
    assert next(reader) == []
    assert next(reader) == []
    log.append(END)
    assert next(reader) == [(2, END)]
    with pytest.raises(StopIteration):
        next(reader)


def test_a_reader_wakes_at_once() -> None:
    log = log_of(end=None)
    reader = log.follow(quiet_s=30)
    threading.Timer(0.05, log.append, [Delta("x")]).start()
    started = time.monotonic()
    assert next(reader) == [(1, Delta("x"))]
    assert time.monotonic() - started < soon(2)


def test_many_readers_of_a_growing_log_hear_the_same() -> None:
    log = Log()
    heard: dict[int, list[tuple[int, Entry]]] = {}

    def follow(number: int) -> None:
        heard[number] = read(log, number)

    readers = [threading.Thread(target=follow, args=(number,)) for number in range(40)]
    for reader in readers[:20]:
        reader.start()
    for number in range(500):
        log.append(Delta(f"{number} "))
        if number == 250:
            for reader in readers[20:]:
                reader.start()
    log.append(END)
    for reader in readers:
        reader.join(10)
    whole = read(log)
    assert len(whole) == 501
    assert heard == {number: whole[number:] for number in range(40)}


def test_a_live_answer_is_found_stopped_and_counted() -> None:
    runs = Runs()
    log, stop = runs.open("m1")
    assert runs.find("m1") is log and runs.live() == 1
    assert runs.stop("m1") and stop.is_requested
    assert runs.stop("m1"), "asking twice is no error"
    log.append(END)
    assert not runs.stop("m1") and runs.live() == 0
    assert runs.find("m1") is log, "who lost the connection can still read it"
    assert runs.find("m2") is None and not runs.stop("m2")


def test_an_ended_log_is_forgotten_in_time_and_a_live_one_never() -> None:
    clock = Clock()
    runs = Runs(clock)
    ended, _ = runs.open("ended")
    runs.open("live")
    ended.append(END)
    clock.now += KEPT_S - 1
    runs.open("another")
    assert runs.find("ended") is ended
    clock.now += KEPT_S
    runs.open("one more")
    assert runs.find("ended") is None
    assert runs.find("live") is not None


def test_a_busy_site_keeps_only_the_logs_of_the_last_minutes() -> None:
    clock = Clock()
    runs = Runs(clock)
    for number in range(5000):
        log, _ = runs.open(str(number))
        log.append(END)
        clock.now += 1
    kept = sum(runs.find(str(number)) is not None for number in range(5000))
    assert kept <= KEPT_S * 1.1 + 1


def test_a_resumed_answer_starts_beyond_every_position_before() -> None:
    runs = Runs()
    first, _ = runs.open("m", is_resumed=True)
    time.sleep(0.002)
    second, _ = runs.open("m", is_resumed=True)
    assert 0 < first.start < second.start
    assert runs.find("m") is second
    assert runs.open("n")[0].start == 0
