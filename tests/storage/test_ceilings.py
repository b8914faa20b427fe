"""The site's day and an agent's: never exceeded, given back, and begun anew at midnight there."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from chat.agents.ceilings import Ceilings, day_of, seconds_until_tomorrow
from chat.agents.offered import Agent, load_agents
from chat.agents.vault import Vault
from chat.refusals import CeilingRefusal
from chat.settings.model import Settings
from chat.storage import NewQuestion, Storage
from chat.storage.models import now
from emulator.accounts import DEMO
from tests.storage.acting import Connect, refused, together

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ceilings(
    store: Storage, at: datetime = NOON, zone: str = "Asia/Shanghai", limit: int | None = 7
) -> Ceilings:
    settings = Settings(daily_limit=limit, time_zone=zone)
    return Ceilings(store.days, lambda: settings, lambda: at)


@pytest.fixture
def agent(store: Storage) -> Agent:
    """One without a limit of its own."""
    settings = Settings(
        coze_api_token=DEMO["COZE_API_TOKEN"],  # type: ignore[arg-type]
        coze_bot_id=DEMO["COZE_BOT_ID"],
    )
    return load_agents(settings, store.days.spend, Vault(store.secrets, "k" * 16)).default


def test_twenty_at_once_in_two_processes_get_no_more_than_the_day_has(
    connect: Connect, agent: Agent
) -> None:
    sites = [ceilings(connect()), ceilings(connect())]
    results = together(lambda n: sites[n % 2].spend(agent), 20)
    assert sum(isinstance(result, CeilingRefusal) for result in results) == 13


def test_an_agent_s_own_day_is_counted_apart(store: Storage, agent: Agent) -> None:
    site, small, other = ceilings(store), replace(agent, daily_limit=2), replace(agent, id="other")
    site.spend(small), site.spend(small)
    assert refused(lambda: site.spend(small)) == "quota_exhausted"
    site.spend(other)


def test_a_question_that_an_agent_refuses_is_not_counted_for_the_site(
    store: Storage, agent: Agent
) -> None:
    site, small = ceilings(store, limit=3), replace(agent, daily_limit=1)
    site.spend(small)
    for _ in range(5):
        refused(lambda: site.spend(small))
    site.spend(replace(agent, id="other"))
    assert store.days.counts("2026-03-01")["site"] == 2


def test_what_is_given_back_can_be_asked_again_once(store: Storage, agent: Agent) -> None:
    site = ceilings(store, limit=1)
    give_back = site.spend(agent)
    give_back()
    give_back()
    site.spend(agent)
    assert refused(lambda: site.spend(agent)) == "quota_exhausted"


def test_a_day_begins_at_midnight_in_the_site_s_time_zone(store: Storage, agent: Agent) -> None:
    before, after = datetime(2026, 3, 1, 15, 59, tzinfo=UTC), datetime(2026, 3, 1, 16, tzinfo=UTC)
    ceilings(store, before, limit=1).spend(agent)
    assert refused(lambda: ceilings(store, before, limit=1).spend(agent)) == "quota_exhausted"
    ceilings(store, after, limit=1).spend(agent)


def test_whoever_is_refused_hears_how_long_the_day_lasts(store: Storage, agent: Agent) -> None:
    site = ceilings(store, limit=1)
    site.spend(agent)
    with pytest.raises(CeilingRefusal) as raised:
        site.spend(agent)
    assert raised.value.retry_after == 4 * 3600


def test_a_day_on_which_the_clocks_change_has_its_own_length() -> None:
    morning = datetime(2026, 3, 29, 0, 30, tzinfo=UTC)
    assert seconds_until_tomorrow(morning, "Europe/Berlin") == 21.5 * 3600


def test_a_limit_that_is_set_during_a_day_counts_what_was_asked_before(
    store: Storage, agent: Agent
) -> None:
    for name in (agent.id, agent.id, "other"):
        store.answers.store_question(NewQuestion("alice", name, "hello", "worker"))
    site, own = ceilings(store, now(), limit=4), replace(agent, daily_limit=3)
    site.spend(own)
    assert refused(lambda: site.spend(own)) == "quota_exhausted"
    assert refused(lambda: ceilings(store, now(), limit=4).spend(agent)) == "quota_exhausted"
    counts = store.days.counts(day_of(now(), "Asia/Shanghai"))
    assert counts == {"site": 4, f"agent:{agent.id}": 3}


def test_without_a_limit_nothing_is_counted(store: Storage, agent: Agent) -> None:
    ceilings(store, limit=None).spend(agent)
    assert store.days.counts("2026-03-01") == {}
