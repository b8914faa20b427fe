"""A link of the start is good once, until the next start, and never beside a password."""

from datetime import datetime

import pytest

from chat.owner.identity import Owner
from chat.owner.welcome import LIFE, MOST_KEYS, TOGETHER, Welcome, link
from chat.settings.model import Settings
from chat.storage import Storage
from chat.visitors.guessing import Guessing
from tests.kit.desk import PASSWORD

KEY = "a key of this test"


@pytest.fixture
def welcome(store: Storage, time: list[datetime]) -> Welcome:
    owner = Owner(None, KEY, store.owner_values, Guessing())
    return Welcome(store.owner_values, owner, lambda: time[0])


def test_processes_of_one_start_announce_their_link_once(welcome: Welcome) -> None:
    assert welcome.offer("brass") and not welcome.offer("brass")
    assert welcome.fits("brass") and not welcome.fits("paper") and not welcome.fits("")


def test_a_later_start_ends_the_links_before_it(welcome: Welcome, time: list[datetime]) -> None:
    welcome.offer("brass")
    welcome.offer("of another host")
    assert welcome.fits("brass") and welcome.fits("of another host")
    time[0] += TOGETHER
    welcome.offer("paper")
    assert not welcome.fits("brass") and welcome.fits("paper")


def test_of_many_starts_at_once_the_latest_links_are_good(welcome: Welcome) -> None:
    for number in range(MOST_KEYS + 3):
        welcome.offer(f"key {number}")
    good = [number for number in range(MOST_KEYS + 3) if welcome.fits(f"key {number}")]
    assert good == list(range(3, MOST_KEYS + 3))


def test_a_link_is_used_up_with_all_others(welcome: Welcome) -> None:
    welcome.offer("brass")
    welcome.offer("paper")
    assert not welcome.use("kite", PASSWORD)
    assert welcome.use("brass", PASSWORD)
    assert not welcome.use("brass", PASSWORD) and not welcome.use("paper", PASSWORD)
    assert not welcome.offer("of the next start")


def test_a_link_of_the_shell_is_good_for_a_day(welcome: Welcome, time: list[datetime]) -> None:
    welcome.offer("brass")
    welcome.use("brass", PASSWORD)
    key = welcome.new_key()
    assert welcome.fits(key)
    time[0] += LIFE
    assert not welcome.fits(key) and not welcome.use(key, PASSWORD)


def test_a_password_of_the_settings_lets_no_link_in(store: Storage) -> None:
    password = Settings(admin_password=PASSWORD).admin_password
    owner = Owner(password, KEY, store.owner_values, Guessing())
    welcome = Welcome(store.owner_values, owner)
    assert not welcome.fits(welcome.new_key())


@pytest.mark.parametrize(
    "settings, address",
    [
        ({}, "http://127.0.0.1:8000/admin/welcome?key=k"),
        ({"host": "0.0.0.0", "port": 80}, "http://127.0.0.1:80/admin/welcome?key=k"),
        ({"host": "::"}, "http://[::1]:8000/admin/welcome?key=k"),
        ({"public_url": "https://a.cn"}, "https://a.cn/admin/welcome?key=k"),
    ],
)
def test_the_link_leads_to_the_site(settings: dict[str, object], address: str) -> None:
    assert link(Settings(**settings), "k") == address  # type: ignore[arg-type]
