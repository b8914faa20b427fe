"""A live answer: one writes, many read from anywhere, and it is forgotten in time."""

import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chat.answers.live import KEPT_S, Entry, Failed, Finished, LiveAnswer, LiveAnswers
from providers.events import Delta
from tests.kit.clock import Clock
from tests.kit.patience import soon

END = Finished("stop", ("all",))


def live_answer(*texts: str, end: Finished | Failed | None = END, start: int = 0) -> LiveAnswer:
    live = LiveAnswer(start)
    for text in texts:
        live.append(Delta(text))
    if end is not None:
        live.append(end)
    return live


def read(live: LiveAnswer, position: int = 0) -> list[tuple[int, Entry]]:
    return [pair for batch in live.follow(position, quiet_s=5) for pair in batch]


def texts(pairs: list[tuple[int, Entry]]) -> str:
    return "".join(entry.text for _, entry in pairs if isinstance(entry, Delta))


def test_positions_count_from_one() -> None:
    assert read(live_answer("a", "b")) == [(1, Delta("a")), (2, Delta("b")), (3, END)]


@given(st.integers(0, 12), st.integers(0, 20))
def test_from_any_position_a_reader_gets_exactly_the_rest(count: int, position: int) -> None:
    live = live_answer(*(str(number) for number in range(count)))
    assert read(live, position) == read(live)[position:]


def test_a_resumed_log_counts_on_from_where_the_earlier_cannot_have_come() -> None:
    live = live_answer("a", "b", start=5000)
    assert [position for position, _ in read(live)] == [5001, 5002, 5003]
    assert read(live, 17) == read(live), "17 was a position of the earlier process"
    assert read(live, 5001) == read(live)[1:]
    assert read(live, 9001) == read(live), (
        "the earlier process resumed it while its clock was ahead"
    )


def test_a_slow_reader_gets_all_at_once_and_a_failure_ends_too() -> None:
    live = live_answer("a", "b", "c", end=Failed("timeout"))
    assert [len(batch) for batch in live.follow()] == [4]


def test_a_reader_of_a_quiet_log_hears_that_it_is_quiet() -> None:
    live = live_answer("a", end=None)
    reader = live.follow(quiet_s=0.05)
    assert next(reader) == [(1, Delta("a"))]
    assert next(reader) == []
    assert next(reader) == []
    live.append(END)
    assert next(reader) == [(2, END)]
    with pytest.raises(StopIteration):
        next(reader)


def test_a_reader_wakes_at_once() -> None:
    live = live_answer(end=None)
    reader = live.follow(quiet_s=30)
    threading.Timer(0.05, live.append, [Delta("x")]).start()
    started = time.monotonic()
    assert next(reader) == [(1, Delta("x"))]
    assert time.monotonic() - started < soon(2)


def test_many_readers_of_a_growing_log_hear_the_same() -> None:
    live = LiveAnswer()
    pairs_by_reader: dict[int, list[tuple[int, Entry]]] = {}

    def follow(number: int) -> None:
        pairs_by_reader[number] = read(live, number)

    readers = [threading.Thread(target=follow, args=(number,)) for number in range(40)]
    for reader in readers[:20]:
        reader.start()
    for number in range(500):
        live.append(Delta(f"{number} "))
        if number == 250:
            for reader in readers[20:]:
                reader.start()
    live.append(END)
    for reader in readers:
        reader.join(10)
    whole = read(live)
    assert len(whole) == 501
    assert pairs_by_reader == {number: whole[number:] for number in range(40)}


def test_a_live_answer_is_found_stopped_and_counted() -> None:
    live_answers = LiveAnswers()
    live, stop = live_answers.open("m1")
    assert live_answers.find("m1") is live and live_answers.count() == 1
    assert live_answers.stop("m1") and stop.is_requested
    assert live_answers.stop("m1"), "asking twice is no error"
    live.append(END)
    assert not live_answers.stop("m1") and live_answers.count() == 0
    assert live_answers.find("m1") is live, "who lost the connection can still read it"
    assert live_answers.find("m2") is None and not live_answers.stop("m2")


def test_an_ended_log_is_forgotten_in_time_and_a_live_one_never() -> None:
    clock = Clock()
    live_answers = LiveAnswers(clock)
    ended, _ = live_answers.open("ended")
    live_answers.open("live")
    ended.append(END)
    clock.now += KEPT_S - 1
    live_answers.open("another")
    assert live_answers.find("ended") is ended
    clock.now += KEPT_S
    live_answers.open("one more")
    assert live_answers.find("ended") is None
    assert live_answers.find("live") is not None


def test_a_busy_site_keeps_only_the_logs_of_the_last_minutes() -> None:
    clock = Clock()
    live_answers = LiveAnswers(clock)
    for number in range(5000):
        live, _ = live_answers.open(str(number))
        live.append(END)
        clock.now += 1
    count = sum(live_answers.find(str(number)) is not None for number in range(5000))
    assert count <= KEPT_S * 1.1 + 1


def test_a_resumed_answer_starts_beyond_every_position_before() -> None:
    live_answers = LiveAnswers()
    first, _ = live_answers.open("m", is_resumed=True)
    time.sleep(0.002)
    second, _ = live_answers.open("m", is_resumed=True)
    assert 0 < first.start < second.start
    assert live_answers.find("m") is second
    assert live_answers.open("n")[0].start == 0


def test_it_knows_for_how_long_nobody_has_followed_it() -> None:
    clock = Clock()
    live = LiveAnswer(clock=clock)
    live.append(Delta("a"))
    clock.now += 5
    assert live.unread_s == 5
    first, second = live.follow(), live.follow()
    assert next(first) and next(second)
    clock.now += 30
    assert live.unread_s == 0
    first.close()  # type: ignore[attr-defined]
    clock.now += 30
    assert live.unread_s == 0, "the other one still reads"
    second.close()  # type: ignore[attr-defined]
    assert live.unread_s == 0
    clock.now += 7
    assert live.unread_s == 7
