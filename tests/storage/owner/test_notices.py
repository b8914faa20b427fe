"""A notice is put in place of the one that was read, or not at all."""

from datetime import timedelta

from chat.storage import Storage
from chat.storage.models import now
from chat.storage.owner.notices import Notice

FULL, WELL = Notice("full", now()), Notice("", now() + timedelta(seconds=1))


def test_whoever_has_read_an_older_notice_changes_nothing(store: Storage) -> None:
    assert store.notices.swap("disk", None, FULL)
    assert not store.notices.swap("disk", None, WELL), "there is one by now"
    assert store.notices.swap("disk", FULL, WELL)
    assert not store.notices.swap("disk", FULL, FULL), "it is another one by now"
    later = Notice("", WELL.at + timedelta(seconds=1))
    assert not store.notices.swap("disk", later, FULL), "it is as old as it is"
    assert store.notices.all() == {"disk": WELL}
