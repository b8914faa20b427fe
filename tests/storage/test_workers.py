"""Workers are remembered until they are buried."""

from chat.storage import Storage


def test_workers_are_remembered_until_they_are_buried(store: Storage) -> None:
    for worker in ("w1", "w2", "w3"):
        store.workers.beat(worker, "host", 1)
    store.workers.beat("w1", "host", 1)
    assert sorted(one.id for one in store.workers.all()) == ["w1", "w2", "w3"]
    store.workers.bury(["w3", "w2"])
    assert [one.id for one in store.workers.all()] == ["w1"]
