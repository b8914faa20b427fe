"""Before a platform hears a question it is on the disk, by one write for all who ask at once."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chat import storage
from chat.settings.model import Settings
from chat.storage import NewQuestion, Storage
from chat.storage.engine.disk import Disk


@pytest.fixture
def database(tmp_path: Path) -> Path:
    (tmp_path / "chat.db-wal").write_bytes(b"committed")
    return tmp_path / "chat.db"


def test_one_write_serves_all_who_were_there_when_it_began(database: Path) -> None:
    writes: list[int] = []
    asked: list[int] = []

    def slow(file: int) -> None:
        begun_with = len(asked)
        time.sleep(0.05)
        writes.append(begun_with)

    disk = Disk(database, slow)

    def ask(number: int) -> bool:
        asked.append(number)
        mine = len(asked)
        disk.sync()
        return max(writes) >= 1 and mine <= len(asked)

    with ThreadPoolExecutor(50) as pool:
        assert all(pool.map(ask, range(200)))
    assert 2 <= len(writes) <= 20


def test_nobody_goes_on_before_a_write_that_began_after_they_came(database: Path) -> None:
    begun, may_end = threading.Event(), threading.Event()
    writes: list[float] = []

    def held(file: int) -> None:
        writes.append(time.monotonic())
        begun.set()
        may_end.wait(10)

    disk = Disk(database, held)
    first = threading.Thread(target=disk.sync)
    first.start()
    assert begun.wait(10)
    came_at = time.monotonic()
    second = threading.Thread(target=disk.sync)
    second.start()
    time.sleep(0.1)
    assert first.is_alive() and second.is_alive() and len(writes) == 1
    may_end.set()
    first.join(10)
    second.join(10)
    assert len(writes) == 2 and writes[1] > came_at


def test_a_disk_that_refuses_holds_nobody_up(database: Path) -> None:
    def refuse(file: int) -> None:
        raise OSError(5, "Input/output error")

    disk = Disk(database, refuse)
    with ThreadPoolExecutor(5) as pool:
        assert list(pool.map(lambda _: disk.sync(), range(20))) == [None] * 20
    Disk(database.with_name("gone.db")).sync()


def test_a_disk_that_is_gone_has_no_room(database: Path, tmp_path: Path) -> None:
    assert Disk(database).free > 0
    assert Disk(tmp_path / "gone" / "chat.db").free == 0


def test_what_is_committed_is_written_to_the_log_that_is_synced(tmp_path: Path) -> None:
    store = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    seen: list[bytes] = []
    store.disk = Disk(tmp_path / "chat.db", lambda file: seen.append(os.pread(file, 1_000_000, 0)))
    ask(store, "a question of 4711 words")
    store.disk.sync()
    assert b"a question of 4711 words" in seen[0]
    store.close()


def ask(store: Storage, question: str) -> None:
    store.answers.store_question(NewQuestion("alice", "coze", question, "worker"))
