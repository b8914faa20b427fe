"""What a site goes through: a locked, full, read-only or missing database, a platform that cannot be reached.

Each time it says so, serves what it can, and goes on when the trouble is over, without a restart.
"""

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

from tests.company import COMPANY
from tests.conftest import Emulator, coze
from tests.site import Site, Visitor, hold_port

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


def wait_until(is_true: Callable[[], object], seconds: float = 20) -> None:
    until = time.monotonic() + seconds * COMPANY
    while not is_true():
        assert time.monotonic() < until
        time.sleep(0.1)


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
    asked = emulator.mark()
    with locked(database_of(site)):
        began = time.monotonic()
        refused: list[requests.Response] = []
        asking = [threading.Thread(target=lambda: refused.append(alice.ask("now"))) for _ in range(4)]
        for one in asking:
            one.start()
        time.sleep(1)
        reading = time.monotonic()
        page = alice.get(f"/c/{alice.conversation}", headers=HTML)
        assert page.ok and "before" in page.text
        assert time.monotonic() - reading < 2 * COMPANY, "nobody else waits for the lock"
        assert next(hearing).name in ("delta", "done"), "an answer goes on"
        for one in asking:
            one.join()
        assert time.monotonic() - began < 12 * COMPANY, "not one after another"
        for response in refused:
            assert_refused(response)
        form = {"message": "by the form", "conversation_id": alice.conversation}
        told = alice.post(data=form, headers=HTML)
        assert told.status_code == 502 and NO_STORAGE in told.text and "by the form" in told.text
    assert not [path for path in emulator.asked(asked) if path == "/v3/chat"], "nothing was asked unstored"
    assert list(hearing)[-1].name == "done"
    wait_until(lambda: alice.ask("after").ok)
    wait_until(lambda: 'data-state="done"' in live.get(f"/c/{live.conversation}").text)
    assert live.ask("and now?").ok
    assert "Traceback" not in site.log, site.log


@pytest.fixture
def tiny(tmp_path: Path) -> Iterator[Path]:
    """A file system with room for a site, and not for much more."""
    place = tmp_path / "tiny"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=80m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs to mount a file system")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(file: Path) -> None:
    """Takes all room there is."""
    with open(file, "wb", buffering=0) as filler:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while filler.write(b"x" * size) == size:
                    pass
            except OSError:
                continue


def test_on_a_full_disk_nothing_is_asked_that_cannot_be_stored(
    emulator: Emulator, start_site: Callable[..., Site], tiny: Path
) -> None:
    site = start_site(folder=tiny, **coze(emulator))
    alice = asks_in_english(Visitor(site.url))
    assert alice.ask("before").ok
    live = Visitor(site.url)
    hearing = live.hear("!pieces 40 150")
    while next(hearing).name != "delta":
        pass
    asked = emulator.mark()
    filler = tiny / "filler"
    fill(filler)
    refused = alice.ask("x" * 8000)
    assert_refused(refused)
    assert not [path for path in emulator.asked(asked) if path == "/v3/chat"]
    page = alice.get(f"/c/{alice.conversation}", headers=HTML)
    assert page.ok and "before" in page.text
    assert alice.get("/readyz").status_code == 503 and alice.get("/healthz").ok
    assert list(hearing)[-1].name == "done", "who reads along hears it to the end"
    filler.unlink()
    wait_until(lambda: alice.ask("after").ok)
    wait_until(lambda: 'data-state="done"' in live.get(f"/c/{live.conversation}").text)
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
    told = alice.get(f"/c/{alice.conversation}", headers=HTML)
    assert told.status_code == 502 and NO_STORAGE in told.text
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
    with closing(sqlite3.connect(database_of(site))) as ours, closing(sqlite3.connect(copy)) as theirs:
        ours.backup(theirs)
    assert alice.ask("never mind").ok
    for ending in ("", "-wal", "-shm"):
        Path(f"{database_of(site)}{ending}").unlink(missing_ok=True)
    copy.rename(database_of(site))
    assert alice.ask("new").ok
    page = alice.get(f"/c/{alice.conversation}").text
    assert "kept" in page and "new" in page and "never mind" not in page


def test_a_database_that_is_read_only_is_said_and_used_again(emulator: Emulator, tmp_path: Path) -> None:
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
        wait_until(lambda: alice.ask("after").ok)
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
            "QINGYAN_API_KEY": "demo-key",
            "QINGYAN_API_SECRET": "demo-secret",
            "QINGYAN_ASSISTANT_ID": "demo-assistant",
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
