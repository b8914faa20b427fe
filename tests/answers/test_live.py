"""A live answer: one writes, many read from anywhere, in its process or in another one."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.answers.live import (
    KEPT_S,
    UNREAD_S,
    Entry,
    Failed,
    Finished,
    LiveAnswer,
    LiveAnswers,
    RemoteAnswer,
    is_unread,
)
from chat.answers.redis import RedisBridge
from chat.shared.connection import Connection
from providers.events import Delta, Status
from tests.kit.clock import Clock
from tests.kit.patience import eventually, soon

END = Finished("stop", ("all",))


@dataclass
class Processes:
    """Answers are made `here`, and followed and stopped `there`: in one process, or in two."""

    here: LiveAnswers
    there: LiveAnswers

    def make(
        self, message_id: str, *texts: str, end: Finished | Failed | None = END, again: bool = False
    ) -> LiveAnswer:
        """An answer with these texts; `again` when an earlier process has begun it."""
        live, _ = self.here.open(message_id, again)
        for text in texts:
            live.append(Delta(text))
        if end is not None:
            live.append(end)
        return live

    def find(self, message_id: str) -> LiveAnswer | RemoteAnswer:
        """The answer for a reader, as soon as there is something to read."""
        assert eventually(lambda: self.there.find(message_id))
        found = self.there.find(message_id)
        assert found is not None
        return found


@pytest.fixture(params=["in memory", "in Redis"])
def processes(
    request: pytest.FixtureRequest, clock: Clock, join: Callable[..., Connection]
) -> Iterator[Processes]:
    if request.param == "in memory":
        alone = LiveAnswers(clock)
        yield Processes(alone, alone)
        return
    two = []
    for connection in (join(), join()):
        two.append(LiveAnswers(clock, RedisBridge(connection, 600)))
        two[-1].connect()
        connection.connect()
    yield Processes(*two)
    for process in two:
        process.disconnect()


def read(live: LiveAnswer | RemoteAnswer, position: int = 0) -> list[tuple[int, Entry]]:
    return [pair for batch in live.follow(position, quiet_s=5) for pair in batch]


# what every reader hears, wherever


def test_positions_count_from_one(processes: Processes) -> None:
    processes.make("m", "a", "b")
    assert read(processes.find("m")) == [(1, Delta("a")), (2, Delta("b")), (3, END)]


def test_from_any_position_a_reader_gets_exactly_the_rest(processes: Processes) -> None:
    names = map(str, count())

    @settings(max_examples=12)
    @given(st.integers(0, 12), st.integers(0, 13))
    def gets_the_rest(length: int, position: int) -> None:
        name = next(names)
        live = processes.make(name, *map(str, range(length)))
        # An answer ends with its last entry: there is none beyond.
        position = min(position, length)
        assert read(processes.find(name), position) == read(live)[position:]

    gets_the_rest()


def test_a_resumed_answer_counts_on_from_where_the_earlier_cannot_have_come(
    processes: Processes,
) -> None:
    live = processes.make("m", "a", "b", again=True)
    reader = processes.find("m")
    assert reader.start == live.start > 0
    assert [position - live.start for position, _ in read(reader)] == [1, 2, 3]
    assert read(reader, 17) == read(reader), "17 was a position of the earlier process"
    assert read(reader, live.start + 1) == read(reader)[1:]


def test_an_answer_that_is_resumed_takes_the_place_of_the_earlier(processes: Processes) -> None:
    first = processes.make("m", "so far", end=None, again=True)
    assert processes.find("m").start == first.start
    time.sleep(0.002)
    second = processes.make("m", "so far, and more", again=True)
    assert 0 < first.start < second.start
    assert eventually(lambda: processes.find("m").start == second.start)
    assert read(processes.find("m"))[0] == (second.start + 1, Delta("so far, and more"))
    assert processes.make("n").start == 0


@pytest.mark.parametrize("end", [END, Failed("timeout", 3.5)], ids=["done", "failed"])
def test_a_slow_reader_gets_all_at_once_with_the_end(
    processes: Processes, end: Finished | Failed
) -> None:
    live = processes.make("m", "a", "b", "c", end=end)
    reader = processes.find("m")
    assert read(reader) == read(live)
    assert [[entry for _, entry in batch][-1:] for batch in reader.follow()] == [[end]]


def test_a_reader_of_a_quiet_answer_hears_that_it_is_quiet(processes: Processes) -> None:
    live = processes.make("m", "a", end=None)
    reader = processes.find("m").follow(quiet_s=0.05)
    assert next(reader) == [(1, Delta("a"))]
    assert next(reader) == []
    assert next(reader) == []
    live.append(END)
    assert next(batch for batch in reader if batch) == [(2, END)]
    with pytest.raises(StopIteration):
        next(reader)


def test_a_reader_wakes_at_once(processes: Processes) -> None:
    live = processes.make("m", "a", end=None)
    reader = processes.find("m").follow(quiet_s=30)
    assert next(reader) == [(1, Delta("a"))]
    threading.Timer(0.05, live.append, [Delta("x")]).start()
    started = time.monotonic()
    assert next(batch for batch in reader if batch) == [(2, Delta("x"))]
    assert time.monotonic() - started < soon(1)


def test_many_readers_of_a_growing_answer_hear_the_same(processes: Processes) -> None:
    live = processes.make("m", "first", end=None)
    found = processes.find("m")
    pairs_by_reader: dict[int, list[tuple[int, Entry]]] = {}

    def follow(number: int) -> None:
        pairs_by_reader[number] = read(found, number)

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
        reader.join(soon(10))
    whole = read(live)
    assert len(whole) == 502
    assert pairs_by_reader == {number: whole[number:] for number in range(40)}


def test_an_answer_is_stopped_and_counted_and_stays_for_its_readers(processes: Processes) -> None:
    live, stop = processes.here.open("m")
    live.append(Delta("a"))
    assert processes.here.count() == 1 and not stop.is_requested
    processes.there.stop("another")
    processes.find("m")
    processes.there.stop("m")
    assert eventually(lambda: stop.is_requested)
    processes.there.stop("m")
    live.append(END)
    assert not processes.here.stop("m") and processes.here.count() == 0
    processes.there.stop("m")
    assert read(processes.find("m")) == [(1, Delta("a")), (2, END)], "for who lost the connection"
    assert processes.there.find("another") is None


def test_an_answer_in_line_is_unread_unless_somebody_follows_it(
    processes: Processes, clock: Clock
) -> None:
    followed, lonely = (processes.here.open(name)[0] for name in ("followed", "lonely"))
    for live in (followed, lonely):
        live.append(Status("queued", 3))
    reading = processes.find("followed").follow()
    assert next(reading) == [(1, Status("queued", 3))]
    clock.now += UNREAD_S
    assert (is_unread(followed), is_unread(lonely)) == (False, True)


# in the process that makes them


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


def test_a_position_beyond_the_end_of_a_resumed_answer_is_none() -> None:
    live = LiveAnswer(5000)
    live.append(END)
    assert read(live, 9001) == read(live), "the earlier process resumed while its clock was ahead"


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
