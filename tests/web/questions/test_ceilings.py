"""A site whose day is full says when it opens again, and counts only what was asked."""

from collections.abc import Callable

from chat.agents import demo
from chat.settings.model import Settings
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor


def test_a_full_day_is_refused_with_when_it_opens_again(
    start_site: Callable[..., Site], emulator: Emulator
) -> None:
    site = start_site(**coze(emulator), DAILY_LIMIT=2)
    alice, bob = Visitor(site.url), Visitor(site.url)
    assert alice.ask("one").ok and bob.ask("two").ok
    before = emulator.mark()
    refused = alice.ask("three")
    assert refused.status_code == 429 and refused.json()["code"] == "quota_exhausted"
    assert 0 < int(refused.headers["Retry-After"]) <= 24 * 3600
    assert "00:00" in refused.json()["error"], "the site's day ends at midnight"
    assert emulator.asked(before) == []


def test_a_question_that_no_platform_was_asked_is_not_counted(
    start_site: Callable[..., Site], emulator: Emulator
) -> None:
    account = demo.accounts(Settings(demo_url=emulator.url))["wenxin"]
    wenxin = {f"WENXIN_{name}".upper(): value for name, value in account.items()}
    site = start_site(**coze(emulator), **wenxin, WENXIN_DAILY=1, DAILY_LIMIT=3)
    asks = [Visitor(site.url).ask("hello", agent="wenxin") for _ in range(4)]
    assert [ask.ok for ask in asks] == [True, False, False, False]
    asks = [Visitor(site.url).ask("hello", agent="coze") for _ in range(3)]
    assert [ask.ok for ask in asks] == [True, True, False]
