"""The owner's log on both databases."""

from chat.storage import Storage


def test_what_was_taken_back_is_known_however_long_ago_it_was_done(store: Storage) -> None:
    store.owner_log.add("set", name="site_title")
    store.owner_log.add("set", agent="guide")
    first, second = (entry.id for entry in store.owner_log.all())
    store.owner_log.add("set", name="with a NUL \0")
    store.owner_log.add("set", takes_back=first)
    assert store.owner_log.taken_back([first, second]) == {first}
    assert store.owner_log.taken_back([second]) == store.owner_log.taken_back([]) == set()
