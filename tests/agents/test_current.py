"""Agents while the site runs: connected, changed, switched off and removed without a restart."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from chat import storage
from chat.agents.current import CurrentAgents
from chat.agents.offered import Agents, Maker
from chat.agents.vault import Vault
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.owner.agents import AgentContent
from chat.storage.owner.values import Entry
from providers import PLATFORMS

KEY = "a-key-of-the-tests-0123456789"
TOKEN, BOT = "pat_demo_only_not_a_secret", "7480000000000000101"
DONE = Entry("agent", {})
OPTIONS = {"api_token": TOKEN, "bot_id": BOT}


class Desk:
    """One process on the database of a test, and what its owner does."""

    def __init__(self, store: Storage, bundle: Path, key: str = KEY, **settings: Any) -> None:
        chosen = Settings(ca_bundle=bundle, demo_url="http://127.0.0.1:9", **settings)
        self.store = store
        self.vault = Vault(store.secrets, key)
        self.current = CurrentAgents(
            Maker(chosen, store.days.spend, self.vault), store.owner_agents
        )

    def put(
        self,
        id: str,
        options: Mapping[str, Any] | None = OPTIONS,
        is_off: bool = False,
        platform: str | None = "coze",
        **card: Any,
    ) -> None:
        row = self.store.owner_agents.get(id)
        sealed = self.vault.seal(dict(options)) if options is not None else None
        content = AgentContent(card, platform, sealed, is_off)
        self.store.owner_agents.put(id, content, DONE, row.version if row else 0)
        self.current.read()

    @property
    def agents(self) -> Agents:
        return self.current.now

    @property
    def ids(self) -> list[str]:
        return [agent.id for agent in self.agents.all]


Open = Callable[..., Desk]


@pytest.fixture
def begin(tmp_path: Path, bundle: Path) -> Iterator[Open]:
    store = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield lambda **settings: Desk(store, bundle, **settings)
    store.close()


def declared(tmp_path: Path, more: str = "") -> Path:
    path = tmp_path / "agents.toml"
    path.write_text(
        f'[[agents]]\nid = "shop"\nplatform = "coze"\nbot_id = "{BOT}"\n'
        f'api_token = "{TOKEN}"\n{more}\n',
        encoding="utf-8",
    )
    return path


def test_the_demo_gives_way_to_the_first_agent_and_comes_back_with_the_last(begin: Open) -> None:
    desk = begin()
    assert desk.agents.is_demo and desk.ids == list(PLATFORMS)
    desk.put("guide", name="导览")
    assert (desk.agents.is_demo, desk.ids, desk.agents.default.name) == (False, ["guide"], "导览")
    desk.put("guide", options=None)
    assert desk.agents.is_demo and desk.ids == list(PLATFORMS)


def test_an_agent_that_was_not_changed_keeps_its_provider(begin: Open) -> None:
    desk = begin()
    desk.put("guide")
    provider = desk.agents.default.provider
    desk.put("guide", name="又一个名字")
    assert desk.agents.default.provider is provider
    desk.put("guide", {**OPTIONS, "bot_id": "7480000000000000103"})
    assert desk.agents.default.provider is not provider


def test_agents_of_one_account_share_its_budget_whenever_they_were_connected(begin: Open) -> None:
    desk = begin()
    desk.put("a")
    desk.put("b", {**OPTIONS, "bot_id": "7480000000000000103"})
    a, b = desk.agents.all
    assert a.account is b.account
    desk.put("a", {**OPTIONS, "qps": 3})
    a, b = desk.agents.all
    assert a.account is b.account and a.account.qps == 3


def test_a_secret_of_the_desk_is_known_to_whoever_hides_secrets(begin: Open) -> None:
    desk = begin()
    heard: list[frozenset[str]] = []
    desk.current.on_change(lambda before, after: heard.append(after.secrets))
    desk.put("guide", {**OPTIONS, "api_token": "pat_of_the_desk_0123456789"})
    assert "pat_of_the_desk_0123456789" in heard[-1]
    assert "pat_of_the_desk" not in repr(desk.agents)


def test_a_switched_off_agent_is_not_offered_and_still_listed(begin: Open) -> None:
    desk = begin()
    desk.put("a")
    desk.put("b", is_off=True)
    assert desk.ids == ["a"]
    assert [(one.id, one.content.is_off) for one in desk.current.listed] == [
        ("a", False),
        ("b", True),
    ]


def test_where_all_are_switched_off_no_stranger_sees_the_demo(begin: Open) -> None:
    desk = begin()
    desk.put("a", is_off=True)
    assert (desk.agents.is_demo, desk.ids) == (False, ["a"])


def test_another_process_reads_what_the_owner_did(begin: Open) -> None:
    desk, other = begin(), begin()
    desk.put("guide", name="导览")
    other.current.read()
    assert other.agents.default.name == "导览"


def test_what_agents_toml_says_is_locked_and_the_rest_may_be_changed(
    begin: Open, tmp_path: Path
) -> None:
    desk = begin(agents_file=declared(tmp_path, 'name = "前台"'))
    desk.put("shop", options=None, platform=None, name="改名", welcome="欢迎")
    (shop,) = desk.agents.all
    assert (shop.name, shop.welcome) == ("前台", "欢迎")
    (listed,) = desk.current.listed
    assert "name" in listed.locked and "welcome" not in listed.locked


def test_a_declared_agent_stands_in_place_of_the_desk_s_of_the_same_id(
    begin: Open, tmp_path: Path
) -> None:
    begin().put("shop", {**OPTIONS, "bot_id": "7480000000000000103"})
    desk = begin(agents_file=declared(tmp_path))
    assert [agent.handle for agent in desk.agents.all] == [BOT]
    assert desk.current.listed[0].is_covered


def test_agents_stand_in_the_owner_s_order(begin: Open, tmp_path: Path) -> None:
    desk = begin(agents_file=declared(tmp_path))
    desk.put("a")
    desk.put("b")
    assert desk.ids == ["shop", "a", "b"], "those of the desk come last"
    places = {"b": 1, "shop": 2, "a": 3}
    desk.store.owner_agents.move(places, DONE, desk.store.owner_agents.positions())
    desk.current.read()
    assert desk.ids == ["b", "shop", "a"]


def test_keys_sealed_under_another_secret_key_are_asked_for_again(begin: Open) -> None:
    begin().put("a")
    desk = begin(key="another-key-of-the-tests-0123")
    (listed,) = desk.current.listed
    assert listed.agent is None
    assert listed.problem is not None and "SECRET_KEY" in listed.problem.say("zh")


def test_an_agent_that_this_release_cannot_make_keeps_nobody_else_from_working(begin: Open) -> None:
    desk = begin()
    desk.put("a")
    desk.put("odd", {"unknown": "option"})
    desk.put("older", platform="a platform of another release")
    desk.put("long", name="字" * 10_000)
    assert desk.ids == ["a"]
    assert [one.problem is None for one in desk.current.listed] == [True, False, False, False]
