"""Search over real databases: what has ended is found, nobody finds another's, nothing deleted stays."""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import delete, select, text, update

from chat import storage
from chat.settings.model import Settings
from chat.storage import Storage, StoredQuestion
from chat.storage.models import Answer, Conversation, Searched, now
from chat.storage.search import INDEXED, Search, begin_anew, forget
from tests.kit.filling import fill


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Storage]:
    opened = storage.connect(Settings(database_url=f"sqlite:///{tmp_path}/chat.db"))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def search(store: Storage) -> Search:
    return store.search


def say(
    store: Storage,
    question: str,
    *replies: str,
    conversation: str | None = None,
    visitor: str = "alice",
) -> StoredQuestion:
    asked = store.answers.ask(visitor, "coze", question, "w1", conversation_id=conversation)
    store.answers.end(asked.answer_id, "done", {"replies": list(replies)})
    return asked


def found(search: Search, typed: str, visitor: str = "alice") -> list[str | None]:
    """The answers that are found; None for a title."""
    return [one.answer_id for one in search.find(visitor, typed)]


def passages(store: Storage) -> int:
    with store.engine.connect() as db:
        return db.execute(text("SELECT count(*) FROM passages")).scalar_one()


def up_to(store: Storage) -> str | None:
    with store.engine.connect() as db:
        return db.scalar(select(Searched.up_to).where(Searched.visitor == "alice"))


def long_ago(store: Storage, asked: StoredQuestion) -> None:
    """Makes a conversation and its answer two hours older; the answer's new id is returned by nobody."""
    old = f"{int(asked.answer_id[:11], 16) - 7_200_000:011x}{asked.answer_id[11:]}"
    with store.engine.begin() as db:
        db.execute(update(Answer).where(Answer.id == asked.answer_id).values(id=old))
        db.execute(
            update(Conversation)
            .where(Conversation.id == asked.conversation_id)
            .values(updated_at=now() - timedelta(hours=2))
        )


def test_questions_and_replies_are_found_as_soon_as_they_have_ended(
    store: Storage, search: Search
) -> None:
    first = say(store, "北京有什么好玩的？", "故宫和长城。", "还有 Summer Palace")
    assert (
        found(search, "长城")
        == found(search, "好玩")
        == found(search, "summ 故宫")
        == [first.answer_id]
    )
    running = store.answers.ask(
        "alice", "coze", "那么上海呢？", "w1", conversation_id=first.conversation_id
    )
    assert found(search, "上海") == []
    store.answers.end(running.answer_id, "stopped", {"replies": ["外滩"]})
    assert found(search, "上海 外滩") == [running.answer_id]


def test_a_conversation_is_shown_once_and_the_newest_comes_first(
    store: Storage, search: Search
) -> None:
    first = say(store, "苹果")
    time.sleep(0.002)
    second = say(store, "香蕉和苹果")
    time.sleep(0.002)
    again = say(store, "再说苹果", conversation=first.conversation_id)
    assert found(search, "苹果") == [again.answer_id, second.answer_id]
    assert len(search.find("alice", "苹果", limit=1)) == 1


def test_a_title_is_found_by_its_words(store: Storage, search: Search) -> None:
    asked = say(store, "hello", "world")
    with store.engine.begin() as db:
        db.execute(update(Conversation).values(title="我的Trip计划\n2026"))
    (one,) = search.find("alice", "trip")
    assert (one.conversation_id, one.answer_id, one.excerpt) == (asked.conversation_id, None, ())
    assert one.title == (("我的", False), ("Trip", True), ("计划\n2026", False))
    assert found(search, "计划 2026") == [None] and found(search, "计划 hello") == []


def test_an_excerpt_comes_from_where_the_word_is(store: Storage, search: Search) -> None:
    say(store, "问题", "第一段", "很长" * 200 + "关键词在这里")
    (one,) = search.find("alice", "关键词")
    assert ("关键词", True) in one.excerpt and one.excerpt[0][0].startswith("…")
    assert now() - one.at < timedelta(minutes=1)


def test_nobody_finds_what_another_has_said(store: Storage, search: Search) -> None:
    say(store, "秘密", visitor="bob")
    say(store, "公开")
    assert found(search, "秘密") == [] and len(found(search, "秘密", "bob")) == 1
    assert found(search, "公开", "bob") == [] and found(search, 'owner : "x" OR 秘密') == []


def test_what_was_thrown_away_is_not_found_until_it_comes_back(
    store: Storage, search: Search
) -> None:
    say(store, "草稿", "内容")
    for deleted_at, count in ((now(), 0), (None, 1)):
        with store.engine.begin() as db:
            db.execute(update(Conversation).values(deleted_at=deleted_at))
        assert len(found(search, "草稿")) == len(found(search, "内容")) == count


def test_what_is_deleted_leaves_the_index(store: Storage, search: Search) -> None:
    gone, kept = say(store, "苹果"), say(store, "苹果树")
    assert len(found(search, "苹果")) == 2
    with store.engine.begin() as db:
        forget(db, [gone.answer_id])
        forget(db, [])
        db.execute(delete(Conversation).where(Conversation.id == gone.conversation_id))
    assert found(search, "苹果") == [kept.answer_id] and passages(store) == 1


def test_a_long_running_answer_is_not_lost(store: Storage, search: Search) -> None:
    """Others that began after it, and ended before it, do not carry the mark past it."""
    slow = store.answers.ask("alice", "coze", "慢慢说", "w1")
    quick = say(store, "快")
    long_ago(store, slow)
    assert found(search, "快") == [quick.answer_id] and up_to(store) is None
    with store.engine.begin() as db:
        db.execute(update(Answer).where(Answer.state == "running").values(state="done"))
    assert len(found(search, "慢慢")) == 1 and up_to(store) is not None


def test_an_answer_of_the_last_minute_may_still_appear_before_the_mark(
    store: Storage, search: Search
) -> None:
    old = say(store, "旧的")
    long_ago(store, old)
    say(store, "新的")
    assert len(found(search, "的")) == 2
    mark = up_to(store)
    assert mark is not None and int(mark[:11], 16) < (time.time() - 60) * 1000


def test_a_search_without_news_writes_nothing(store: Storage, search: Search) -> None:
    fill(store.engine, "alice", conversations=5, answers=2)
    search.bring_up_to_date("alice")
    assert passages(store) == 10
    with store.engine.connect() as db:
        before = db.execute(text("PRAGMA data_version")).scalar()
        store.search.bring_up_to_date("alice")
        assert db.execute(text("PRAGMA data_version")).scalar() == before


def test_beginning_anew_finds_older_conversations_and_takes_them_over(
    store: Storage, search: Search
) -> None:
    fill(store.engine, "bob", conversations=3, answers=2, seed=2)
    say(store, "自己的")
    search.bring_up_to_date("bob")
    search.bring_up_to_date("alice")
    with store.engine.begin() as db:
        db.execute(
            update(Conversation).where(Conversation.visitor == "bob").values(visitor="alice")
        )
        begin_anew(db, "alice")
    search.bring_up_to_date("alice")
    with store.engine.connect() as db:
        assert db.execute(text("SELECT count(DISTINCT visitor), count(*) FROM passages")).one() == (
            1,
            7,
        )


def test_many_searches_at_once_build_one_index(store: Storage) -> None:
    fill(store.engine, "alice", conversations=100, answers=2)
    faults: list[Exception] = []

    def look() -> None:
        try:
            store.search.find("alice", "天气")
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and passages(store) == 200


def test_only_the_beginning_of_a_huge_answer_is_found(store: Storage, search: Search) -> None:
    say(store, "长", "啊" * INDEXED + "尽头")
    say(store, "短", "半个\ud83d字符")
    assert [len(found(search, typed)) for typed in ("尽头", "啊啊啊", "字符")] == [0, 1, 1]


def test_an_answer_deleted_while_it_is_indexed_does_not_come_back(
    store: Storage, search: Search
) -> None:
    fill(store.engine, "alice", conversations=50, answers=4)
    worker = threading.Thread(target=search.bring_up_to_date, args=("alice",))
    worker.start()
    with store.engine.begin() as db:
        ids = db.scalars(select(Answer.id)).all()
        forget(db, ids)
        db.execute(delete(Conversation))
    worker.join()
    assert passages(store) == 0
