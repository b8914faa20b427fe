"""Visitors are told that the owner may read what they ask, exactly while that is so."""

from collections.abc import Callable

from chat import storage
from chat.owner.desk.values import Desk
from chat.settings.model import Settings
from chat.storage import Storage
from chat.storage.owner.reading import Filters
from tests.kit.emulator import Emulator, coze
from tests.kit.patience import eventually
from tests.kit.site import Site, Visitor

NOTICE = "The owner may read this"
EXPLANATION = "What you asked without it is not shown to them"


def connect(site: Site) -> Storage:
    """The database of a site."""
    return storage.connect(Settings(database_url=f"sqlite:///{site.folder}/instance/chat.db"))


def test_only_what_is_asked_while_visitors_are_told_can_be_read(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    alice.session.headers["Accept-Language"] = "en"
    store = connect(site)
    # Another process of the owner's.
    desk = Desk(Settings(), store, "key")
    for switch in ("off", "on", "off"):
        desk.change("owner_reads", switch)
        is_on = switch == "on"
        assert eventually(lambda is_on=is_on: (NOTICE in alice.get("/").text) == is_on)  # type: ignore[misc]
        assert (EXPLANATION in alice.get("/conversations").text) == is_on
        assert alice.ask(f"while it is {switch}").ok
    (answer,) = store.owner_reading.each(Filters())
    assert answer.question == "while it is on"
    assert {"accepted", "delta"} <= {kind for _, kind, _ in answer.timeline or []}
    store.close()
