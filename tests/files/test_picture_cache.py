"""Files of pictures stay within their bounds, and the least used go first."""

import os
from collections import OrderedDict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chat.files.picture_cache import MAX_AGE_S, Copy, PictureCache
from chat.refusals import PictureRefusal
from chat.visitors.limits.bodies import LEFT_FREE
from tests.kit.clock import Clock

MOST_BYTES = 1000
MOST_PICTURES = 4
LARGEST = 400


def small_cache(folder: Path, room: int = 2**40, clock: Clock | None = None) -> PictureCache:
    return PictureCache(folder, lambda: room, MOST_BYTES, MOST_PICTURES, clock or Clock())


def put(cache: PictureCache, url: str, data: bytes) -> Copy:
    """Puts a picture in as a fetch does."""
    copy = cache.begin()
    cache.grow(copy, data)
    cache.keep(url, copy)
    return copy


def content(size: int) -> bytes:
    return os.urandom(size)


Steps = st.lists(
    st.tuples(
        st.sampled_from(["put", "find"]), st.sampled_from("abcdefgh"), st.integers(1, LARGEST)
    )
)


@settings(max_examples=150)
@given(steps=Steps)
def test_it_is_the_most_recently_used_that_fit(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, str, int]]
) -> None:
    cache = small_cache(tmp_path_factory.getbasetemp())
    model: OrderedDict[str, bytes] = OrderedDict()
    for step, url, size in steps:
        if step == "put":
            data = content(size)
            put(cache, url, data)
            while sum(map(len, model.values())) + size > MOST_BYTES:
                model.popitem(last=False)
            model.pop(url, None)
            while len(model) >= MOST_PICTURES:
                model.popitem(last=False)
            model[url] = data
        else:
            copy = cache.find(url)
            assert (copy and b"".join(copy.pieces())) == model.get(url)
            if copy:
                model.move_to_end(url)
        assert cache.size == sum(map(len, model.values())) <= MOST_BYTES
    for url, data in model.items():
        copy = cache.find(url)
        assert copy is not None and b"".join(copy.pieces()) == data
        copy.close()


def test_files_have_no_name_and_are_closed_when_they_go(tmp_path: Path) -> None:
    cache = small_cache(tmp_path)
    first = put(cache, "first", content(10))
    reading = first.pieces()
    for number in range(MOST_PICTURES):
        put(cache, str(number), content(10))
    assert not os.listdir(tmp_path)
    with pytest.raises(BrokenPipeError):
        next(reading)


def test_unfinished_files_count_and_make_the_others_go(tmp_path: Path) -> None:
    cache = small_cache(tmp_path)
    put(cache, "a", content(400))
    put(cache, "b", content(400))
    growing = cache.begin()
    for _ in range(6):
        cache.grow(growing, content(100))
        assert cache.size <= MOST_BYTES
    assert cache.find("a") is None and cache.find("b") is not None
    cache.discard(growing)
    assert cache.size == 400


def test_a_slow_reader_gives_way(tmp_path: Path) -> None:
    cache = small_cache(tmp_path)
    pieces = iter(put(cache, "a", content(400)).pieces())
    slow = put(cache, "b", content(400))
    assert len(next(pieces)) == 400
    reading = slow.pieces()
    put(cache, "c", content(400))
    put(cache, "d", content(400))
    with pytest.raises(BrokenPipeError):
        next(reading)
    assert list(pieces) == []


def test_on_a_full_disk_all_make_room_and_no_picture_comes(tmp_path: Path) -> None:
    room = LEFT_FREE + 250
    cache = PictureCache(tmp_path, lambda: room - cache.size, MOST_BYTES, MOST_PICTURES)
    put(cache, "a", content(100))
    put(cache, "b", content(100))
    put(cache, "c", content(100))
    assert cache.find("a") is None and cache.size == 200
    growing = cache.begin()
    with pytest.raises(PictureRefusal):
        cache.grow(growing, content(251))
    cache.discard(growing)
    assert cache.size == 0


def test_a_picture_is_forgotten_after_a_day(tmp_path: Path) -> None:
    clock = Clock()
    cache = small_cache(tmp_path, clock=clock)
    put(cache, "a", content(10))
    clock.now += MAX_AGE_S - 1
    put(cache, "b", content(10))
    assert cache.find("a")
    clock.now += 2
    assert cache.find("a") is None and cache.find("b") and cache.size == 10
