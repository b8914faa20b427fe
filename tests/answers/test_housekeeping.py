"""The housekeeper, on real threads and a real database: it saves answers and adopts orphans."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import requests
from sqlalchemy import insert, select, update

from chat import storage
from chat.agents.ceilings import Ceilings
from chat.agents.health import Health
from chat.agents.offered import Agent, Agents, load_agents
from chat.agents.vault import Vault
from chat.answers.banned_words import WordList
from chat.answers.housekeeping import DEAD_AFTER, Housekeeper
from chat.answers.live import LiveAnswers
from chat.answers.metrics import Metrics
from chat.answers.question import Question
from chat.answers.records import Records
from chat.answers.saving import Saver
from chat.answers.turns import Turns
from chat.files.uploads import Uploads
from chat.refusals import Refusal
from chat.settings.model import Settings
from chat.storage import Answer, NewQuestion, Storage, StoredQuestion
from chat.storage.engine.disk import Disk
from chat.storage.models import Upload, Worker, now
from chat.visitors.access import Visitors
from chat.visitors.limits.at_once import LocalAtOnce
from chat.visitors.limits.rates import VisitorLimits
from tests.kit.emulator import Emulator
from tests.kit.filling import fill
from tests.kit.patience import eventually

KEY = "a-key-of-the-tests-0123456789"
TOKEN, BOT = "pat_demo_only_not_a_secret", "7480000000000000101"


@dataclass
class Process:
    """What one process of the site is made of, as chat/services.py puts it together."""

    storage: Storage
    saver: Saver
    live_answers: LiveAnswers
    turns: Turns
    agents: Agents
    housekeeper: Housekeeper
    worker: str

    @property
    def agent(self) -> Agent:
        return self.agents.default

    def answer(self, stored: StoredQuestion) -> Answer:
        return self.storage.answers.get("alice", stored.answer_id)


Begin = Callable[..., Process]


@pytest.fixture
def begin(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    """Puts together another process on the same database; the test starts its housekeeper."""
    monkeypatch.chdir(tmp_path)
    processes: list[Process] = []

    def begin_process(
        worker: str = "w1", off: Sequence[timedelta] = (timedelta(),), keep_days: int | None = None
    ) -> Process:
        settings = Settings(
            database_url="sqlite:///chat.db",
            coze_api_token=TOKEN,  # type: ignore[arg-type]
            coze_bot_id=BOT,
            coze_api_base=emulator.url,
            coze_qps=0,
        )
        store, live_answers = storage.connect(settings), LiveAnswers()
        agents = load_agents(settings, store.days.spend, Vault(store.secrets, KEY))
        saver = Saver(store)
        limits = VisitorLimits("0", 1, 3)
        ceilings = Ceilings(store.days, lambda: settings)
        records = Records(store, saver, Health(), Metrics(), ceilings, worker, lambda: "en")
        turns = Turns(
            settings, live_answers, Visitors(KEY), limits, LocalAtOnce(), records, WordList()
        )
        housekeeper = Housekeeper(
            store, saver, turns, lambda: agents, worker, lambda: keep_days, lambda: now() + off[0]
        )
        processes.append(Process(store, saver, live_answers, turns, agents, housekeeper, worker))
        return processes[-1]

    yield begin_process
    for process in processes:
        process.housekeeper.end()
        process.storage.engine.dispose()


def dead_pid() -> int:
    """The id of a process that has just ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def orphan(
    process: Process, host: str, pid: int, silent: timedelta = timedelta(), **more: str
) -> StoredQuestion:
    """A running answer of a worker "other", which was seen so long ago."""
    stored = process.storage.answers.store_question(NewQuestion("alice", "coze", "hi", "other"))
    process.storage.answers.note_accepted(stored, more.get("thread"), more.get("chat"), None)
    process.storage.answers.save({stored.answer_id: {"replies": [more.get("text", "half a")]}})
    process.storage.workers.beat("other", host, pid)
    with process.storage.engine.begin() as db:
        db.execute(update(Worker).where(Worker.id == "other").values(seen_at=now() - silent))
    return stored


def this_host() -> str:
    return os.uname().nodename


@contextmanager
def table_missing(store: Storage, table: str) -> Iterator[None]:
    """A database that is out of order, as far as this table goes."""
    with store.engine.begin() as db:
        db.exec_driver_sql(f"ALTER TABLE {table} RENAME TO hidden")
    yield
    with store.engine.begin() as db:
        db.exec_driver_sql(f"ALTER TABLE hidden RENAME TO {table}")


def test_what_a_dead_process_left_is_interrupted_where_there_is_no_record(begin: Begin) -> None:
    process = begin()
    stored = orphan(process, this_host(), dead_pid())
    process.housekeeper.start()
    answer = process.answer(stored)
    assert (answer.state, answer.code, answer.replies) == ("interrupted", "unavailable", ["half a"])
    assert [worker.id for worker in process.storage.workers.all()] == ["w1"], "the dead are buried"
    process.storage.answers.store_question(
        NewQuestion("alice", "coze", "next", "w1", conversation_id=stored.conversation_id)
    )


def test_what_a_dead_process_left_is_finished_from_the_platform_s_record(
    begin: Begin, emulator: Emulator
) -> None:
    question = {"role": "user", "content": "你好", "content_type": "text", "type": "question"}
    body = {"bot_id": BOT, "user_id": "u", "stream": False, "auto_save_history": True}
    chat = requests.post(
        f"{emulator.url}/v3/chat",
        json={**body, "additional_messages": [question]},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=10,
    ).json()["data"]
    process = begin()
    stored = orphan(
        process,
        this_host(),
        dead_pid(),
        thread=chat["conversation_id"],
        chat=chat["id"],
        text="这是",
    )
    process.housekeeper.start()
    assert eventually(lambda: process.answer(stored).state != "running")
    answer = process.answer(stored)
    assert answer.state == "done" and "你好" in answer.replies[0]
    live = process.live_answers.find(stored.answer_id)
    assert live is not None and live.start > 1_000_000, "its positions are beyond the earlier log's"


@pytest.mark.parametrize("host", ["this", "another"])
def test_what_a_living_process_answers_is_its_own(begin: Begin, host: str) -> None:
    process = begin()
    stored = orphan(process, this_host() if host == "this" else "another", os.getppid())
    process.housekeeper.start()
    time.sleep(2.5)
    assert process.answer(stored).state == "running"
    assert {worker.id for worker in process.storage.workers.all()} == {"w1", "other"}


@pytest.mark.parametrize("host", ["this", "another"])
def test_a_process_silent_for_long_is_dead(begin: Begin, host: str) -> None:
    process = begin()
    stored = orphan(
        process,
        this_host() if host == "this" else "another",
        os.getppid(),
        DEAD_AFTER + timedelta(seconds=1),
    )
    process.housekeeper.start()
    assert process.answer(stored).state == "interrupted"


def test_of_two_processes_one_takes_over(begin: Begin) -> None:
    first, second = begin("w1"), begin("w2")
    stored = orphan(first, this_host(), dead_pid())
    first.housekeeper.start()
    second.housekeeper.start()
    assert first.answer(stored).worker == "w1"


def test_an_agent_that_is_gone_leaves_no_answer_running(begin: Begin) -> None:
    process = begin()
    stored = process.storage.answers.store_question(NewQuestion("alice", "gone", "hi", "dead"))
    process.storage.answers.note_accepted(stored, "thread", "chat", None)
    process.housekeeper.start()
    assert process.answer(stored).state == "interrupted"


def test_a_draft_is_saved_within_about_a_second_even_when_the_platform_is_silent(
    begin: Begin,
) -> None:
    process = begin()
    process.housekeeper.start()
    stored, live = process.turns.begin_answer(
        Question("alice", process.agent, "!pieces 4 10 !pause 30")
    )
    batch_with_text = next(
        batch for batch in live.follow() if any("text" in str(entry) for _, entry in batch)
    )
    assert batch_with_text
    time.sleep(2.0)
    answer = process.answer(stored)
    assert answer.state == "running" and answer.replies and answer.replies[0]
    assert answer.chat and answer.thread, "the platform's ids are kept at once"
    process.live_answers.stop(stored.answer_id)
    assert eventually(lambda: process.answer(stored).state == "stopped")
    assert process.answer(stored).replies[0].startswith(answer.replies[0])


def test_a_proper_end_saves_and_signs_off(begin: Begin) -> None:
    process = begin()
    process.housekeeper.start()
    stored, live = process.turns.begin_answer(
        Question("alice", process.agent, "!pieces 4 10 !pause 30")
    )
    text = ""
    for batch in live.follow():
        text += "".join(getattr(entry, "text", "") for _, entry in batch)
        if text:
            break
    process.housekeeper.end()
    assert process.answer(stored).replies[0].startswith(text)
    assert process.storage.workers.all() == []
    process.live_answers.stop(stored.answer_id)
    assert eventually(lambda: process.answer(stored).state == "stopped")


def test_an_end_that_could_not_be_stored_is_stored_later(begin: Begin) -> None:
    process = begin()
    process.housekeeper.start()
    stored, live = process.turns.begin_answer(Question("alice", process.agent, "!pieces 10 50"))
    with table_missing(process.storage, "answers"):
        entries = [entry for batch in live.follow() for _, entry in batch]
        assert "Finished" in type(entries[-1]).__name__, "the visitor hears the answer all the same"
    assert eventually(lambda: process.answer(stored).state == "done")
    assert process.answer(stored).replies
    process.storage.answers.store_question(
        NewQuestion("alice", "coze", "next", "w1", conversation_id=stored.conversation_id)
    )


def test_a_draft_that_could_not_be_saved_is_saved_later(begin: Begin) -> None:
    process = begin()
    with table_missing(process.storage, "conversations"):
        process.housekeeper.start()
    stored, _ = process.turns.begin_answer(
        Question("alice", process.agent, "!pieces 4 10 !pause 30")
    )
    assert eventually(
        lambda: (
            process.live_answers.find(stored.answer_id) is not None and process.answer(stored).chat
        )
    )
    with table_missing(process.storage, "answers"):
        time.sleep(2.5)
    assert eventually(lambda: process.answer(stored).replies, 3)
    process.live_answers.stop(stored.answer_id)
    assert eventually(lambda: process.answer(stored).state == "stopped")


def test_a_database_out_of_order_at_the_start_is_no_end(begin: Begin) -> None:
    process = begin()
    with table_missing(process.storage, "workers"):
        process.housekeeper.start()
        time.sleep(1.2)
    assert eventually(lambda: [worker.id for worker in process.storage.workers.all()] == ["w1"])


@pytest.mark.parametrize("jump", [timedelta(days=1), timedelta(days=-1)], ids=["forward", "back"])
def test_a_clock_that_is_set_orphans_no_answer_of_the_living(begin: Begin, jump: timedelta) -> None:
    off = [timedelta()]
    process = begin(off=off)
    stored = orphan(process, this_host(), os.getppid())
    process.housekeeper.start()
    assert process.answer(stored).state == "running"
    off[0] = jump
    time.sleep(2.8)  # a beat and a bit: the other's next sign of life may be as late
    assert process.answer(stored).state == "running"
    process.storage.workers.beat("other", this_host(), os.getppid(), now() + jump)
    time.sleep(2.5)
    assert process.answer(stored).state == "running"


def test_after_the_clock_was_set_nothing_is_deleted_for_its_age(begin: Begin) -> None:
    off = [timedelta()]
    process, another = begin(off=off, keep_days=1), begin("w2", keep_days=1)
    fill(process.storage.engine, "alice", conversations=2, answers=1, apart_s=10 * 86_400)
    process.housekeeper.start()
    taken_back = fill(process.storage.engine, "bob", conversations=1, answers=1)[0]
    process.storage.conversations.delete("bob", taken_back)
    signed_in = now()
    process.storage.sessions.add("id", "code", "mark", "bob", signed_in, signed_in + timedelta(1))
    off[0] = timedelta(days=3)
    assert eventually(lambda: process.housekeeper._has_jumped(60), 6)
    process.housekeeper._expire()
    process.housekeeper._tidy()
    assert len(process.storage.conversations.of("alice", 5)) == 2, "the next may set it right"
    process.storage.conversations.restore("bob", taken_back)
    assert process.storage.sessions.get("id")
    another.housekeeper._expire()
    assert process.storage.conversations.of("alice", 5) == [], "where no clock was set they go"


def test_a_question_is_on_the_disk_before_its_platform_hears_it(
    begin: Begin, emulator: Emulator, tmp_path: Path
) -> None:
    process, before = begin(), emulator.mark()
    counts: list[int] = []

    def note(file: int) -> None:
        assert b"lest it be lost" in os.pread(file, 1_000_000, 0)
        counts.append(len(emulator.asked(before)))

    process.storage.disk = Disk(tmp_path / "chat.db", note)
    stored, _ = process.turns.begin_answer(Question("alice", process.agent, "lest it be lost"))
    assert eventually(lambda: process.answer(stored).state == "done")
    assert counts == [0]
    assert len(emulator.asked(before)) > 0


def test_files_go_after_a_day_although_nobody_sends_another(begin: Begin) -> None:
    process = begin()
    columns = {
        "visitor": "alice",
        "name": "a.png",
        "content_type": "image/png",
        "size": 3,
        "data": b"abc",
    }
    ages = {"old": timedelta(days=1, minutes=1), "new": timedelta(hours=23)}
    with process.storage.engine.begin() as db:
        db.execute(
            insert(Upload),
            [{**columns, "id": id, "created_at": now() - age} for id, age in ages.items()],
        )
    uploads = Uploads(process.storage, KEY, 1, None)
    (agent,) = process.agents.all
    with pytest.raises(Refusal, match="not_found"):
        uploads.take("alice", ["old"], agent)
    assert uploads.take("alice", ["new"], agent)
    process.housekeeper._expire()
    with process.storage.engine.connect() as db:
        assert list(db.scalars(select(Upload.id))) == ["new"]
