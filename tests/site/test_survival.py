"""A locked, full, read-only or missing database, or a platform that is away, does not end a site.

Each time it says so, serves what it can, and goes on when the trouble is over, without a restart.
"""

import contextlib
import os
import shutil
import sqlite3
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
import requests

from emulator import create_emulator
from emulator.accounts import DEMO
from emulator.serving import serve
from tests.kit.emulator import Emulator, coze, quick
from tests.kit.patience import ALLOWANCE, eventually, soon
from tests.kit.site import Site, Visitor, hold_port, text
from tests.kit.small_disk import fill, small_disk

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8", "Accept-Language": "en"}
NO_STORAGE = "database cannot be used at the moment"


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Another program is writing, and takes its time."""
    with closing(sqlite3.connect(database, timeout=30, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        yield
        writer.execute("ROLLBACK")


def assert_refused(response: requests.Response) -> None:
    assert response.status_code == 502, response.text
    assert response.json()["code"] == "unavailable" and "database" in response.json()["error"]
    assert int(response.headers["Retry-After"]) > 0


def asks_in_english(visitor: Visitor) -> Visitor:
    visitor.session.headers["Accept-Language"] = "en"
    return visitor


def database_of(site: Site) -> Path:
    return site.folder / "instance" / "chat.db"


# a database that cannot be used


def test_while_another_program_holds_the_database_questions_are_refused_and_pages_are_read(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = asks_in_english(Visitor(site.url))
    assert alice.ask("before").ok
    live = Visitor(site.url)
    hearing = live.hear("!pieces 60 150")
    while next(hearing).name != "delta":
        pass
    mark = emulator.mark()
    with locked(database_of(site)):
        began = time.monotonic()
        refused: list[requests.Response] = []
        asking = [
            threading.Thread(target=lambda: refused.append(alice.ask("now"))) for _ in range(3)
        ]
        for thread in asking:
            thread.start()
        time.sleep(1)
        reading = time.monotonic()
        page = alice.get(f"/c/{alice.conversation}", headers=HTML)
        assert page.ok and "before" in page.text
        assert time.monotonic() - reading < soon(2), "nobody else waits for the lock"
        assert next(hearing).name in ("delta", "done"), "an answer goes on"
        for thread in asking:
            thread.join()
        assert time.monotonic() - began < soon(12), "not one after another"
        for response in refused:
            assert_refused(response)
        form = {"message": "by the form", "conversation_id": alice.conversation}
        response = alice.post(data=form, headers=HTML)
        assert (
            response.status_code == 502
            and NO_STORAGE in response.text
            and "by the form" in response.text
        )
    assert not [path for path in emulator.asked(mark) if path == "/v3/chat"], (
        "nothing was asked unstored"
    )
    assert list(hearing)[-1].name == "done"
    assert eventually(lambda: alice.ask("after").ok)
    assert eventually(lambda: 'data-state="done"' in live.get(f"/c/{live.conversation}").text)
    assert live.ask("and now?").ok
    assert "Traceback" not in site.log, site.log


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a site, and not for much more."""
    with small_disk(tmp_path / "tiny", 80) as place:
        yield place


def test_on_a_full_disk_nothing_is_asked_that_cannot_be_stored(
    emulator: Emulator, start_site: Callable[..., Site], tiny: Path
) -> None:
    site = start_site(folder=tiny, **coze(emulator))
    alice = asks_in_english(Visitor(site.url))
    assert alice.ask("before").ok
    response = alice.post("/files", files={"file": ("a.png", b"\x89PNG\r\n\x1a\n")})
    # 80 MB: too little for files, enough for questions.
    assert_refused(response)
    live = Visitor(site.url)
    hearing = live.hear("!pieces 40 150")
    while next(hearing).name != "delta":
        pass
    mark = emulator.mark()
    filler = tiny / "filler"
    fill(filler)
    refused = alice.ask("x" * 8000)
    assert_refused(refused)
    assert not [path for path in emulator.asked(mark) if path == "/v3/chat"]
    page = alice.get(f"/c/{alice.conversation}", headers=HTML)
    assert page.ok and "before" in page.text
    assert alice.get("/readyz").status_code == 503 and alice.get("/healthz").ok
    assert list(hearing)[-1].name == "done", "who reads along hears it to the end"
    filler.unlink()
    assert eventually(lambda: alice.ask("after").ok)
    assert eventually(lambda: 'data-state="done"' in live.get(f"/c/{live.conversation}").text)
    assert alice.get("/readyz").ok


def test_a_database_that_is_gone_is_said_and_found_again(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = asks_in_english(Visitor(site.url))
    assert alice.ask("before").ok
    aside = site.folder / "aside"
    shutil.move(site.folder / "instance", aside)
    assert_refused(alice.ask("into nothing"))
    response = alice.get(f"/c/{alice.conversation}", headers=HTML)
    assert response.status_code == 502 and NO_STORAGE in response.text
    ready = alice.get("/readyz")
    assert ready.status_code == 503 and "database" in ready.json()
    assert not database_of(site).exists(), "no empty one was begun"
    shutil.move(aside, site.folder / "instance")
    assert alice.ask("after").ok
    page = alice.get(f"/c/{alice.conversation}").text
    assert "before" in page and "after" in page
    assert alice.get("/readyz").ok


def test_another_database_in_its_place_is_the_one_that_is_used(
    emulator: Emulator, start_site: Callable[..., Site]
) -> None:
    site = start_site(**coze(emulator))
    alice = Visitor(site.url)
    assert alice.ask("kept").ok
    copy = site.folder / "copy"
    with (
        closing(sqlite3.connect(database_of(site))) as source,
        closing(sqlite3.connect(copy)) as target,
    ):
        source.backup(target)
    assert alice.ask("never mind").ok
    for ending in ("", "-wal", "-shm"):
        Path(f"{database_of(site)}{ending}").unlink(missing_ok=True)
    copy.rename(database_of(site))
    assert alice.ask("new").ok
    page = alice.get(f"/c/{alice.conversation}").text
    assert "kept" in page and "new" in page and "never mind" not in page


def test_a_database_that_is_read_only_is_said_and_used_again(
    emulator: Emulator, tmp_path: Path
) -> None:
    if os.geteuid():
        pytest.skip("needs to mount a file system")
    site = Site(tmp_path, coze(emulator)).start()
    instance, behind = tmp_path / "instance", tmp_path / "behind"
    behind.mkdir()
    mounts: list[Path] = []
    try:
        alice = asks_in_english(Visitor(site.url))
        assert alice.ask("before").ok
        for place in (behind, instance):
            if subprocess.run(["mount", "--bind", instance, place], capture_output=True).returncode:
                pytest.skip("needs to mount a file system")
            mounts.append(place)
        subprocess.run(["mount", "-o", "remount,bind,ro", instance], check=True)
        # Whoever has it open could still write, so it is made one that has to be opened.
        shutil.copy(behind / "chat.db", behind / "copy")
        (behind / "copy").rename(behind / "chat.db")
        assert_refused(alice.ask("into stone"))
        assert alice.get("/readyz").status_code == 503
        subprocess.run(["umount", "-l", mounts.pop()], check=True)
        assert eventually(lambda: alice.ask("after").ok)
        assert "Traceback" not in site.log, site.log
    finally:
        for place in mounts:
            subprocess.run(["umount", "-l", place], check=True)
        site.end()


# a platform that cannot be reached


def test_an_agent_that_cannot_be_reached_is_marked_until_it_answers(
    emulator: Emulator, start_site: Callable[..., Site], start_emulator: Callable[..., Emulator]
) -> None:
    with hold_port() as silent:
        nobody = f"http://127.0.0.1:{silent.getsockname()[1]}"
        qingyan = {
            "QINGYAN_API_KEY": DEMO["QINGYAN_API_KEY"],
            "QINGYAN_API_SECRET": DEMO["QINGYAN_API_SECRET"],
            "QINGYAN_ASSISTANT_ID": DEMO["QINGYAN_ASSISTANT_ID"],
            "QINGYAN_API_BASE": f"{nobody}/chatglm/assistant-api/v1",
        }
        site = start_site(**coze(emulator), **qingyan)
        for number in range(3):
            visitor = Visitor(site.url)
            page = visitor.get("/?agent=qingyan", headers=HTML).text
            assert "cannot be reached" not in page.lower(), f"after {number}"
            refused = visitor.ask("anybody?", agent="qingyan")
            assert (refused.status_code, refused.json()["code"]) == (502, "unavailable")
        visitor = Visitor(site.url)
        assert "This agent cannot be reached" in visitor.get("/?agent=qingyan", headers=HTML).text
        coze_page = visitor.get("/?agent=coze", headers=HTML).text
        assert "This agent cannot be reached" not in coze_page and "Cannot be reached" in coze_page
        assert visitor.ask("hi", agent="coze").ok, "others go on"
        assert visitor.get("/readyz").ok
        with serve(create_emulator(quick()), port=silent.getsockname()[1]):
            answered = Visitor(site.url)
            assert answered.ask("and now?", agent="qingyan").ok
            page = answered.get("/?agent=qingyan", headers=HTML).text
            assert "cannot be reached" not in page.lower(), "the first success clears it"


# a process that ends


def test_after_sigterm_nothing_new_begins_and_the_page_goes_on_with_the_next_process(
    emulator: Emulator, tmp_path: Path
) -> None:
    site = Site(tmp_path, {**coze(emulator), "GRACE_S": 2}).start()
    try:
        visitor, other = Visitor(site.url), Visitor(site.url)
        assert other.get("/healthz").ok, "its connection is kept"
        hearing = visitor.hear("!pieces 80 150 a long one")
        events = [next(hearing)]
        while events[-1].name != "delta":
            events.append(next(hearing))
        mark = emulator.mark()
        assert site.process is not None
        site.process.terminate()
        time.sleep(0.5)
        with contextlib.suppress(requests.ConnectionError):  # as soon as nobody listens any more
            late = other.ask("too late")
            assert (late.status_code, late.json()["code"]) == (502, "unavailable")
            assert "restarting" in late.json()["error"] or "重启" in late.json()["error"]
        with contextlib.suppress(requests.RequestException):
            events += list(hearing)
        assert site.process.wait(30 * ALLOWANCE) == 0
        assert not [path for path in emulator.asked(mark) if path == "/v3/chat"]
        with closing(sqlite3.connect(database_of(site))) as db:
            ((replies,),) = db.execute("SELECT replies FROM answers").fetchall()
        assert len(replies) > 10, "what it had is stored"
        site.start()
        followed = list(visitor.follow(after=events[-1].id))
        assert followed[-1].name == "done" and "a long one" in followed[-1].data["replies"][0]
        assert visitor.ask("and now?").ok
    finally:
        site.end()


def test_an_answer_lost_with_its_process_is_not_waited_for_for_ever(
    emulator: Emulator, tmp_path: Path
) -> None:
    """Coze has taken the question and says for ever that it works on it."""
    site = Site(tmp_path, {**coze(emulator), "CHAT_TIMEOUT_S": 300}).start()
    try:
        visitor = Visitor(site.url)
        hearing = visitor.hear("!stuck !pieces 10 20")
        while next(hearing).name != "delta":
            pass
        # Until the text so far is saved.
        time.sleep(2.5)
        site.kill()
        site.settings["CHAT_TIMEOUT_S"] = 40
        site.start()
        began = time.monotonic()
        events = list(visitor.follow())
        assert time.monotonic() - began < soon(25)
        assert events[-1].name == "error" and events[-1].data["code"] == "timeout"
        assert text(events) or any(event.name == "replace" for event in events), (
            "what it had is there"
        )
        assert 'data-state="interrupted"' in visitor.get(f"/c/{visitor.conversation}").text
        assert visitor.ask("again").ok, "the conversation is free"
    finally:
        site.end()
