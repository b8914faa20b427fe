"""What the owner changes at the desk holds everywhere, below the environment, and can be taken
back.
"""

import threading
from collections.abc import Callable
from typing import Any

import pytest

from chat.owner.desk.values import CHANGEABLE, Desk, Locked, LostError
from chat.page import look
from chat.settings.errors import SettingsError
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.owner.agents import AgentContent
from chat.storage.owner.values import Entry, StaleError
from tests.kit.clock import Clock
from tests.page.test_look import PNG

KEY = "a key of this test"
ROBOT = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=0f6b62aa-7c1d-4f0e-9d7e-1234567890ab"
Open = Callable[..., Desk]


@pytest.fixture
def open_desk(store: Storage, clock: Clock) -> Open:
    """`open_desk(site_title="馆")`: the desk of a process with this in its environment."""

    def open_one(**settings: Any) -> Desk:
        return Desk(Settings(**settings), store, KEY, clock=clock)

    return open_one


def test_a_change_holds_at_once(open_desk: Open) -> None:
    desk = open_desk()
    desk.change("site_title", " 青铜馆 ")
    desk.change("keep_days", "30")
    assert (desk.settings.site_title, desk.settings.keep_days) == ("青铜馆", 30)


def test_another_process_knows_within_a_second_or_when_it_is_told(
    open_desk: Open, clock: Clock
) -> None:
    here, there = open_desk(), open_desk()
    assert there.settings.site_title == "智页"
    here.change("site_title", "青铜馆")
    assert there.settings.site_title == "智页"
    there.look_again()
    assert there.settings.site_title == "青铜馆"
    here.change("site_title", "瓷器馆")
    clock.now += 1.1
    assert there.settings.site_title == "瓷器馆"


def test_what_is_emptied_is_the_default_again(open_desk: Open) -> None:
    desk = open_desk()
    desk.change("site_title", "青铜馆")
    desk.change("site_title", "")
    assert desk.settings.site_title == "智页"


def test_the_environment_wins_and_locks(open_desk: Open) -> None:
    open_desk().change("site_title", "青铜馆")
    desk = open_desk(site_title="瓷器馆")
    assert desk.settings.site_title == "瓷器馆"
    assert desk.locked("site_title") == "SITE_TITLE" and desk.locked("ai_label") is None
    with pytest.raises(Locked):
        desk.change("site_title", "书画馆")


@pytest.mark.parametrize(
    "name, text",
    [
        ("site_title", "馆" * 61),
        ("accent_color", "reddish"),
        ("keep_days", "-5"),
        ("daily_limit", "many"),
        ("default_language", "klingon"),
        ("access_codes", "short"),
        ("notify_url", "ftp://robots.example"),
    ],
)
def test_what_a_setting_does_not_take_is_refused_and_not_noted(
    open_desk: Open, store: Storage, name: str, text: str
) -> None:
    desk = open_desk()
    with pytest.raises(SettingsError, match=name.upper()):
        desk.change(name, text)
    assert desk.settings == open_desk().settings and not store.owner_log.all()


def test_every_setting_of_the_desk_is_one(open_desk: Open) -> None:
    assert set(CHANGEABLE) <= set(Settings.model_fields)


def test_nobody_overwrites_what_they_have_not_seen(open_desk: Open) -> None:
    ann, ben = open_desk(), open_desk()
    seen = ann.version("site_title")
    ben.change("site_title", "瓷器馆", ben.version("site_title"))
    with pytest.raises(StaleError):
        ann.change("site_title", "青铜馆", seen)
    assert ann.text("site_title") == "瓷器馆"


def test_of_two_who_save_at_the_same_moment_one_is_told(open_desk: Open) -> None:
    desks = [open_desk() for _ in range(4)]
    ends: list[str] = []

    def save(desk: Desk, title: str) -> None:
        try:
            desk.change("site_title", title, 0)
            ends.append("saved")
        except StaleError:
            ends.append("stale")

    threads = [
        threading.Thread(target=save, args=(desk, f"馆 {number}"))
        for number, desk in enumerate(desks)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ends) == ["saved", "stale", "stale", "stale"]


def test_a_change_is_taken_back_once(open_desk: Open, store: Storage) -> None:
    desk = open_desk()
    desk.change("site_title", "青铜馆")
    desk.change("site_title", "瓷器馆")
    entry = store.owner_log.all()[-1]
    desk.take_back(entry)
    assert desk.settings.site_title == "青铜馆"
    with pytest.raises(StaleError):
        desk.take_back(entry)
    assert store.owner_log.all()[-1].facts["takes_back"] == entry.id


def test_taking_back_is_taken_back(open_desk: Open, store: Storage) -> None:
    desk = open_desk()
    desk.change("site_title", "青铜馆")
    desk.take_back(store.owner_log.all()[-1])
    assert desk.settings.site_title == "智页"
    desk.take_back(store.owner_log.all()[-1])
    assert desk.settings.site_title == "青铜馆"


def test_no_secret_is_in_the_rows_of_log_and_values(open_desk: Open, store: Storage) -> None:
    desk = open_desk()
    desk.change("notify_url", ROBOT)
    assert desk.text("notify_url") == ROBOT
    entry = store.owner_log.all()[-1]
    assert entry.facts == {"name": "notify_url"}
    assert "0f6b62aa" not in f"{entry.change} {store.owner_values.get('notify_url').value}"


def test_robots_are_taken_back_sealed_one_change_after_another(
    open_desk: Open, store: Storage
) -> None:
    desk = open_desk()
    for address in (ROBOT, f"{ROBOT}-new", ""):
        desk.change("notify_url", address)
    robots, new_robots, no_robots = store.owner_log.all()
    for entry, address in ((no_robots, f"{ROBOT}-new"), (new_robots, ROBOT), (robots, "")):
        desk.take_back(entry)
        assert desk.text("notify_url") == address
    assert "0f6b62aa" not in str([entry.change for entry in store.owner_log.all()])


def test_what_another_secret_key_has_sealed_is_not_put_back(
    open_desk: Open, store: Storage
) -> None:
    open_desk().change("notify_url", ROBOT)
    open_desk().change("notify_url", "")
    desk = Desk(Settings(), store, "another key")
    with pytest.raises(LostError):
        desk.take_back(store.owner_log.all()[-1])
    assert store.owner_values.get("notify_url").value is None


def test_codes_of_the_desk_come_beside_those_of_the_environment(open_desk: Open) -> None:
    desk = open_desk(access_codes="ann:a-code-of-ann")
    desk.change("access_codes", "ben:a-code-of-ben")
    codes = desk.settings.access_codes
    assert codes and codes.get_secret_value() == "ann:a-code-of-ann,ben:a-code-of-ben"
    with pytest.raises(SettingsError):
        desk.change("access_codes", "ann:another-code")


def test_the_last_code_stays_where_agents_need_one(open_desk: Open) -> None:
    desk = open_desk()
    desk.change("access_codes", "ben:a-code-of-ben")
    desk.needs_codes = lambda: True
    with pytest.raises(SettingsError, match="at least one code"):
        desk.change("access_codes", "")
    assert desk.settings.access_codes is not None
    desk.needs_codes = lambda: False
    desk.change("access_codes", "")
    assert desk.settings.access_codes is None


def test_taking_back_neither_opens_the_site_nor_makes_twins(
    open_desk: Open, store: Storage
) -> None:
    desk = open_desk()
    desk.change("access_codes", "ben:a-code-of-ben")
    with pytest.raises(SettingsError, match="open the site to everybody"):
        desk.take_back(store.owner_log.all()[-1])
    desk.change("access_codes", "")
    with pytest.raises(SettingsError, match="ACCESS_CODES"):
        open_desk(access_codes="ben:another-code").take_back(store.owner_log.all()[-1])
    desk.take_back(store.owner_log.all()[-1])
    assert desk.text("access_codes") == "ben:a-code-of-ben"


def test_a_site_never_opens_because_its_codes_cannot_be_read(
    open_desk: Open, store: Storage
) -> None:
    open_desk().change("access_codes", "ben:a-code-of-ben")
    store.owner_values.alter("access_codes", lambda codes: "short")
    with pytest.raises(SettingsError):
        open_desk()


def test_a_value_of_another_release_is_left_out(open_desk: Open, store: Storage) -> None:
    open_desk().change("accent_color", "#0f6b62")
    store.owner_values.alter("accent_color", lambda colour: "no colour")
    assert open_desk().settings.accent_color is None


def test_an_uploaded_logo_is_shown_and_taken_back(open_desk: Open, store: Storage) -> None:
    desk = open_desk()
    with pytest.raises(SettingsError, match="SITE_LOGO"):
        desk.change_logo(b"<!doctype html><svg>")
    with pytest.raises(SettingsError, match="200 kB"):
        desk.change_logo(PNG + b"x" * look.LARGEST_LOGO)
    desk.change_logo(PNG)
    assert desk.settings and desk.logo == PNG
    desk.take_back(store.owner_log.all()[-1])
    assert desk.settings and desk.logo is None


def test_of_many_logos_the_latest_stay(open_desk: Open, store: Storage) -> None:
    desk = open_desk()
    for number in range(13):
        desk.change_logo(PNG + bytes([number]))
    first, *_, last = store.owner_log.all()
    assert desk.settings and desk.logo == PNG + bytes([12])
    assert not store.owner_files.has(first.change["after"])  # type: ignore[index]
    assert store.owner_files.has(last.change["before"])  # type: ignore[index]


def test_pictures_in_use_stay_however_many_come_after_them(open_desk: Open, store: Storage) -> None:
    desk = open_desk()
    desk.change_logo(PNG)
    icon = desk.add_picture(PNG + b"icon")
    content = AgentContent({"icon": f"{look.ICONS}{icon}"}, "coze", b"sealed")
    store.owner_agents.put("guide", content, Entry("agent-connected", {}), 0)
    for number in range(12):
        desk.add_picture(PNG + bytes([number]))
    assert desk.settings and desk.logo == PNG
    assert desk.picture(icon) == PNG + b"icon"
