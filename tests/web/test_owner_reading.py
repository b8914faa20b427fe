"""Visitors are told that the owner may read what they ask, exactly while that is so."""

from collections.abc import Callable

from chat import storage
from chat.settings.model import Settings
from chat.storage.owner_reading import Filters
from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor

NOTICE = "The site's owner may read questions and answers"
EXPLANATION = "What you asked while this was not said stays closed"


def readable(site: Site) -> dict[str, list[str]]:
    """What the owner could read of a site: questions, with the kinds of events of their answers."""
    store = storage.connect(Settings(database_url=f"sqlite:///{site.folder}/instance/chat.db"))
    kinds = {
        answer.question: [entry[1] for entry in answer.timeline or []]
        for answer in store.owner_reading.each(Filters())
    }
    store.close()
    return kinds


def test_only_what_is_asked_while_visitors_are_told_can_be_read(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator), OWNER_READS="off")
    alice = Visitor(site.url)
    alice.session.headers["Accept-Language"] = "en"
    for switch in ("off", "on", "off"):
        site.end()
        site.settings["OWNER_READS"] = switch
        site.start()
        is_on = switch == "on"
        assert (NOTICE in alice.get("/").text) == is_on
        assert (EXPLANATION in alice.get("/conversations").text) == is_on
        assert alice.ask(f"while it is {switch}").ok
    (answer,) = readable(site).items()
    assert answer[0] == "while it is on" and {"accepted", "delta"} <= set(answer[1])
