"""Agents of the desk: nothing is overwritten unseen, and what is removed is gone with its keys."""

import pytest

from chat.storage import Storage
from chat.storage.owner.agents import AgentContent
from chat.storage.owner.values import Entry, StaleError

CONNECTED = AgentContent({"name": "导览"}, "coze", b"sealed options")
DONE = Entry("agent", {"id": "guide"}, {"agent": "guide"})


def test_an_agent_is_read_as_it_was_stored(store: Storage) -> None:
    store.owner_agents.put("guide", CONNECTED, DONE, 0)
    assert AgentContent.of(store.owner_agents.get("guide")) == CONNECTED


def test_who_has_not_seen_the_last_change_overwrites_nothing(store: Storage) -> None:
    version = store.owner_agents.put("guide", CONNECTED, DONE, 0)
    store.owner_agents.put("guide", AgentContent({"name": "前台"}), DONE, version)
    with pytest.raises(StaleError):
        store.owner_agents.put("guide", CONNECTED, DONE, version)
    assert AgentContent.of(store.owner_agents.get("guide")).card == {"name": "前台"}


def test_an_id_that_is_taken_is_not_connected_again(store: Storage) -> None:
    store.owner_agents.put("guide", CONNECTED, DONE, 0)
    with pytest.raises(StaleError):
        store.owner_agents.put("guide", CONNECTED, DONE, 0)


def test_a_change_stands_in_the_log_and_one_that_failed_does_not(store: Storage) -> None:
    store.owner_agents.put("guide", CONNECTED, DONE, 0)
    with pytest.raises(StaleError):
        store.owner_agents.put("guide", CONNECTED, DONE, 0)
    assert [entry.change for entry in store.owner_log.all()] == [{"agent": "guide"}]


def test_agents_stand_in_the_owner_s_order_and_a_new_one_comes_last(store: Storage) -> None:
    for id in ("b", "a", "c"):
        store.owner_agents.put(id, CONNECTED, DONE, 0)
    before = store.owner_agents.positions()
    store.owner_agents.move({"c": 1, "declared": 2, "b": 3, "a": 4}, DONE, before)
    store.owner_agents.put("new", CONNECTED, DONE, 0)
    assert [row.id for row in store.owner_agents.all()] == ["c", "declared", "b", "a", "new"]


def test_an_order_that_another_owner_has_changed_is_left_alone(store: Storage) -> None:
    store.owner_agents.put("a", CONNECTED, DONE, 0)
    before = store.owner_agents.positions()
    store.owner_agents.put("b", CONNECTED, DONE, 0)
    with pytest.raises(StaleError):
        store.owner_agents.move({"a": 5}, DONE, before)
    assert store.owner_agents.positions() == {"a": 1, "b": 2}
