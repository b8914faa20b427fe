"""Puzzles are signed, end, and each solution is good once."""

import hashlib
from collections.abc import Callable

import pytest
from itsdangerous import URLSafeTimedSerializer

from chat.shared.connection import Connection
from chat.visitors import puzzles
from chat.visitors.puzzles import LocalUsedPuzzles, Puzzle, Puzzles, is_solution
from chat.visitors.redis_puzzles import RedisUsedPuzzles
from tests.kit.clock import Clock
from tests.kit.servers.redis import RedisServer

KEY, BITS = "a key of this test", 8


def solve(puzzle: Puzzle) -> str:
    nonce = 0
    while not is_solution(puzzle.text, nonce, puzzle.bits):
        nonce += 1
    return str(nonce)


@pytest.fixture(params=["in memory", "in Redis"])
def sites(
    request: pytest.FixtureRequest, join: Callable[..., Connection]
) -> tuple[Puzzles, Puzzles]:
    """The puzzles as two requests have them: in one process, or in two."""
    if request.param == "in memory":
        alone = Puzzles(KEY, LocalUsedPuzzles())
        return alone, alone
    return Puzzles(KEY, RedisUsedPuzzles(join())), Puzzles(KEY, RedisUsedPuzzles(join()))


def test_a_solution_is_good_once(sites: tuple[Puzzles, Puzzles]) -> None:
    here, there = sites
    puzzle, other = here.new(BITS), here.new(BITS)
    nonce = solve(puzzle)
    assert [there.redeem(puzzle.text, nonce), here.redeem(puzzle.text, nonce)] == [BITS, 0]
    assert there.redeem(puzzle.text, nonce) == 0
    assert here.redeem(other.text, solve(other)) == BITS


def test_while_redis_is_away_a_solution_is_good_once_in_a_process(
    join: Callable[..., Connection], own_redis: RedisServer
) -> None:
    site = Puzzles(KEY, RedisUsedPuzzles(join(url=own_redis.url)))
    before, after = site.new(BITS), site.new(BITS)
    assert site.redeem(before.text, solve(before)) == BITS
    own_redis.kill()
    assert site.redeem(before.text, solve(before)) == 0
    assert [site.redeem(after.text, solve(after)) for _ in range(2)] == [BITS, 0]


def test_a_solution_has_the_zeros() -> None:
    nonce = int(solve(Puzzle("puzzle", BITS)))
    seed = hashlib.sha256(b"puzzle").digest()
    digest = hashlib.sha256(seed + nonce.to_bytes(8, "big")).hexdigest()
    assert digest.startswith("00") and not is_solution("puzzle", nonce, 64)


@pytest.mark.parametrize("nonce", ["", "-1", "x", "1.5", "٣", "9" * 17, "9" * 5000])
def test_nonsense_is_no_solution(nonce: str) -> None:
    site = Puzzles(KEY, LocalUsedPuzzles())
    assert site.redeem(site.new(0).text, nonce) == 0


def test_a_puzzle_of_others_counts_nothing() -> None:
    site = Puzzles(KEY, LocalUsedPuzzles())
    puzzle = Puzzles("another key", LocalUsedPuzzles()).new(BITS)
    for text in (puzzle.text, "", "x.y.z", "\ud83d", "x" * 10_000):
        assert site.redeem(text, solve(puzzle)) == 0
    other_salt = str(URLSafeTimedSerializer(KEY, salt="browser").dumps([0, "id"]))
    assert site.redeem(other_salt, "0") == 0


def test_a_puzzle_ends() -> None:
    class Old(URLSafeTimedSerializer):
        class Signer(URLSafeTimedSerializer.default_signer):  # type: ignore[name-defined,misc]
            def get_timestamp(self) -> int:
                return int(super().get_timestamp()) - puzzles.LIFE_S - 1

        default_signer = Signer

    text = str(Old(KEY, salt="puzzle").dumps([0, "id"]))
    assert Puzzles(KEY, LocalUsedPuzzles()).redeem(text, "0") == 0


def test_its_memory_is_bounded_and_lets_no_used_one_in() -> None:
    clock = Clock()
    used = LocalUsedPuzzles(clock)
    site = Puzzles(KEY, used)
    first = site.new(1)
    nonce = solve(first)
    assert site.redeem(first.text, nonce) == 1
    for _ in range(puzzles.MOST_USED - 1):
        used.add(str(_))
    late = site.new(1)
    assert site.redeem(late.text, solve(late)) == 0, "no room: no puzzle counts"
    assert site.redeem(first.text, nonce) == 0
    clock.now += puzzles.LIFE_S + 1
    assert site.redeem(late.text, solve(late)) == 1
