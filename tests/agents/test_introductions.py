"""The agent's own welcome: told by the platform, the owner's words first, never waited for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chat.agents.redis_introductions import RedisAbouts
from chat.shared.connection import Connection
from providers.base import About
from providers.errors import Unavailable
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.servers.redis import RedisServer
from tests.kit.site import Site, Visitor

PROLOGUE = "我是模拟器里的智能体"


def page_with(site: Site, words: str) -> str:
    assert eventually(lambda: words in Visitor(site.url).get("/").text)
    return Visitor(site.url).get("/").text


@pytest.mark.parametrize("pascal", [False, True])
def test_the_page_shows_what_the_agent_says_of_itself(
    start_emulator: Callable[..., Emulator], start_site: Callable[..., Site], pascal: bool
) -> None:
    emulator = start_emulator(coze_pascal_onboarding=pascal)
    page = page_with(start_site(**coze(emulator)), PROLOGUE)
    assert "你能做什么？" in page
    assert "{{" not in page


def test_the_owner_s_words_come_first(
    emulator: Emulator, start_site: Callable[..., Site], tmp_path: Path
) -> None:
    agents = tmp_path / "agents.toml"
    agents.write_text(
        '[[agents]]\nid = "shop"\nplatform = "coze"\nname = "店小二"\nwelcome = "欢迎光临"\n'
        'bot_id = "7480000000000000101"\n',
        encoding="utf-8",
    )
    settings = {name: value for name, value in coze(emulator).items() if name != "COZE_BOT_ID"}
    page = page_with(start_site(**settings, AGENTS_FILE=agents), "你能做什么？")
    assert "店小二" in page and "欢迎光临" in page and PROLOGUE not in page


def test_a_platform_that_does_not_answer_holds_up_nobody(start_site: Callable[..., Site]) -> None:
    site = start_site(
        COZE_API_TOKEN="pat_demo_only_not_a_secret",
        COZE_BOT_ID="7480000000000000101",
        COZE_API_BASE="http://127.0.0.1:9",
    )
    assert Visitor(site.url).get("/").status_code == 200
    assert Visitor(site.url).ask("hi").status_code == 502


# in several processes

ABOUT = About(
    "店小二", "卖东西", "欢迎光临", ("有什么？", "多少钱？"), "https://example.com/icon.png"
)


def nobody() -> About:
    raise AssertionError("the platform is not asked again")


def test_one_process_asks_and_all_know(join: Callable[..., Connection]) -> None:
    here, there = RedisAbouts(join()), RedisAbouts(join())

    def ask() -> About:
        assert there.get("shop", nobody) is None, "somebody asks already"
        return ABOUT

    assert here.get("shop", ask) == ABOUT
    assert there.get("shop", nobody) == here.get("shop", nobody) == ABOUT
    assert there.get("another", lambda: About()) == About()


def test_a_platform_that_fails_is_asked_by_nobody_for_a_minute(
    join: Callable[..., Connection],
) -> None:
    here, there = RedisAbouts(join()), RedisAbouts(join())

    def fail() -> About:
        raise Unavailable("no way", provider="coze")

    with pytest.raises(Unavailable):
        here.get("shop", fail)
    assert here.get("shop", nobody) is None and there.get("shop", nobody) is None


def test_while_redis_is_away_each_process_asks(
    join: Callable[..., Connection], own_redis: RedisServer
) -> None:
    abouts = RedisAbouts(join(url=own_redis.url))
    own_redis.kill()
    assert abouts.get("shop", lambda: ABOUT) == ABOUT
