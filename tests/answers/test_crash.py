"""kill -9 during an answer: no question is lost, at most a second of text, and Coze finishes."""

import socket
from pathlib import Path

import pytest

from tests.kit.emulator import Emulator, coze
from tests.kit.site import Site, Visitor, text


@pytest.fixture
def crashing_site(emulator: Emulator, tmp_path: Path):
    site = Site(tmp_path, coze(emulator)).start()
    yield site
    site.end()


def test_the_platform_s_record_completes_the_answer(crashing_site: Site) -> None:
    alice = Visitor(crashing_site.url)
    events = alice.hear_for("!pieces 60 100 finish me", 2.5)
    assert text(events)
    crashing_site.kill()
    crashing_site.start()
    again = list(alice.follow())
    assert again[-1].name == "done", again[-1]
    whole = again[-1].data["replies"][0]
    assert whole.startswith(text(events)) and len(whole) > len(text(events))
    assert text(again) == whole
    assert alice.ask("and now?").ok


def test_what_was_said_a_second_ago_is_kept(crashing_site: Site) -> None:
    alice = Visitor(crashing_site.url)
    events = alice.hear_for("!pieces 200 50 !pause 0", 4)
    text_before = text(events[: len(events) // 2])
    crashing_site.kill()
    crashing_site.start()
    page = alice.get(f"/c/{alice.conversation}").text
    assert "!pieces 200 50" in page, "the question"
    text_after = next(event for event in alice.follow() if event.name in ("delta", "replace")).data[
        "text"
    ]
    assert text_after.startswith(text_before[:50])
    alice.stop()


def test_an_answer_the_platform_never_took_is_interrupted(
    emulator: Emulator, tmp_path: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        site = Site(tmp_path, {**coze(emulator), "COZE_API_BASE": nobody}).start()
        try:
            alice = Visitor(site.url)
            next(alice.hear("anybody?"))
            site.kill()
            site.settings = coze(emulator)
            site.start()
            events = list(alice.follow())
            assert events[-1].name == "error" and events[-1].data["code"] == "unavailable"
            assert alice.ask("again").ok, "the conversation is free"
        finally:
            site.end()
