"""Sessions end by the clock, and a clock that was wrong for a while ends none of them."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from chat import storage
from chat.settings import code_lists
from chat.settings.model import Settings
from chat.storage import Storage
from chat.visitors.codes import Codes
from chat.visitors.sessions import LIFE, Sessions

KEY = "a key of this test"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Storage]:
    opened = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def clock() -> list[datetime]:
    """What the time is, to be set by the test."""
    return [datetime(2026, 1, 1, tzinfo=UTC)]


@pytest.fixture
def codes() -> Codes:
    return Codes(code_lists.parse("ann:a-code-of-ann:2026-03-01"), KEY, "UTC")


@pytest.fixture
def sessions(store: Storage, codes: Codes, clock: list[datetime]) -> Sessions:
    return Sessions(store.sessions, codes, lambda: clock[0])


@pytest.mark.parametrize("days", [-1, 31, 400], ids=str)
def test_a_clock_set_right_again_has_signed_nobody_out(
    store: Storage, sessions: Sessions, codes: Codes, clock: list[datetime], days: int
) -> None:
    token, session = sessions.begin(codes.all[0], "alice")
    clock[0] += timedelta(days=days)
    assert (sessions.find(token) is None) == (days > 0)
    another, _ = sessions.begin(codes.all[0], "bob")
    clock[0] -= timedelta(days=days)
    assert sessions.find(token) == session
    assert sessions.find(another)


def test_a_session_that_has_expired_is_deleted_by_the_housekeeper(
    store: Storage, sessions: Sessions, codes: Codes, clock: list[datetime]
) -> None:
    _, session = sessions.begin(codes.all[0], "alice")
    store.sessions.expire(clock[0] + LIFE - timedelta(seconds=1))
    assert store.sessions.get(session.id)
    store.sessions.expire(clock[0] + LIFE)
    assert store.sessions.get(session.id) is None
