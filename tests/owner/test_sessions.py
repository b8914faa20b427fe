"""A session of the owner ends by disuse, by its age, by a button, and with the password."""

from datetime import datetime, timedelta

import pytest

from chat.owner.identity import Owner
from chat.owner.sessions import SEEN_EVERY, OwnerSessions
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.owner.sessions import IDLE, LIFE
from chat.visitors.guessing import Guessing
from tests.kit.desk import PASSWORD

KEY = "a key of this test"


@pytest.fixture
def owner(store: Storage) -> Owner:
    owner = Owner(None, KEY, store.owner_values, Guessing())
    owner.choose(PASSWORD)
    return owner


@pytest.fixture
def sessions(store: Storage, owner: Owner, time: list[datetime]) -> OwnerSessions:
    return OwnerSessions(store.owner_sessions, owner, lambda: time[0])


def test_a_session_that_nobody_uses_ends(sessions: OwnerSessions, time: list[datetime]) -> None:
    token, _ = sessions.begin()
    time[0] += IDLE - timedelta(seconds=1)
    assert sessions.find(token)
    time[0] += IDLE
    assert sessions.find(token) is None


def test_a_session_in_use_ends_by_its_age(sessions: OwnerSessions, time: list[datetime]) -> None:
    token, session = sessions.begin()
    while time[0] < session.expires_at:
        assert sessions.find(token)
        time[0] += IDLE / 2
    assert sessions.find(token) is None
    assert session.expires_at - LIFE <= time[0]


def test_the_use_of_a_session_is_noted_and_not_each_time(
    sessions: OwnerSessions, store: Storage, time: list[datetime]
) -> None:
    token, session = sessions.begin()
    began = time[0]
    time[0] += SEEN_EVERY / 2
    sessions.find(token)
    assert store.owner_sessions.get(session.id).seen_at == began  # type: ignore[union-attr]
    time[0] += SEEN_EVERY
    sessions.find(token)
    assert store.owner_sessions.get(session.id).seen_at == time[0]  # type: ignore[union-attr]


def test_sessions_end_with_the_password(sessions: OwnerSessions, owner: Owner) -> None:
    token, _ = sessions.begin()
    owner.choose("paper kite behind the mill")
    assert sessions.find(token) is None


def test_a_session_of_a_chosen_password_is_none_of_the_settings_s(
    sessions: OwnerSessions, store: Storage
) -> None:
    token, _ = sessions.begin()
    password = Settings(admin_password="correct horse battery").admin_password
    other = Owner(password, KEY, store.owner_values, Guessing())
    assert OwnerSessions(store.owner_sessions, other).find(token) is None


@pytest.mark.parametrize("token", [None, "", "x", "\udc80", "x" * 10_000])
def test_nonsense_is_no_session(sessions: OwnerSessions, token: str | None) -> None:
    sessions.begin()
    assert sessions.find(token) is None


def test_what_has_ended_is_deleted(
    sessions: OwnerSessions, store: Storage, time: list[datetime]
) -> None:
    _, session = sessions.begin()
    store.owner_sessions.expire(time[0] + IDLE - timedelta(seconds=1))
    assert store.owner_sessions.get(session.id)
    store.owner_sessions.expire(time[0] + IDLE)
    assert store.owner_sessions.get(session.id) is None
